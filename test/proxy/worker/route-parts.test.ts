import { deserialize } from 'node:v8';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import t from 'tap';
import type { VirtualHost } from '../../../config/route.ts';
import type { MapDelta } from '../../../config/snapshot.ts';
import type { RouteChange } from '../../../proxy/route/route-change.ts';
import { ReceivedRoutes, type RoutePart, splitRoutes } from '../../../proxy/worker/route-parts.ts';
import { routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

const hosts = (count: number): VirtualHost[] =>
  Array.from({ length: count }, (_, at) => virtualHost({ name: `h${at}`, domains: [`h${at}`] }));

const whole = (count: number): RouteChange => ({
  kind: 'whole',
  config: routeConfiguration({ virtualHosts: hosts(count) }),
});

const changed = (count: number): RouteChange => ({ kind: 'virtual-hosts', set: hosts(count), removed: ['gone'] });

t.test('a small change goes as it is', async (t) => {
  const routes: MapDelta<RouteChange> = { set: [['table', whole(100)]], removed: ['old'] };
  const { parts, rest } = splitRoutes(routes);
  t.same([...parts], []);
  t.same(rest, routes);
  t.equal(new ReceivedRoutes().join(rest), rest);
});

t.test('a table of 10,000 virtual hosts is opened a hundred at a time, and comes out as it was', async (t) => {
  const routes: MapDelta<RouteChange> = {
    set: [
      ['large', whole(10_000)],
      ['small', whole(3)],
      ['edited', changed(101)],
    ],
    removed: ['old'],
  };
  const { parts: made, rest } = splitRoutes(routes);
  const parts = [...made];
  t.equal(parts.length, 102);
  for (const { bytes } of parts) t.ok(deserialize(bytes).length <= 100);
  t.same(
    rest.set.map(([, change]) => (change.kind === 'whole' ? change.config.virtualHosts : change.set).length),
    [0, 3, 0],
  );
  const received = new ReceivedRoutes();
  const { port1, port2 } = new MessageChannel();
  t.teardown(() => port1.close());
  for (const part of parts) {
    port1.postMessage(part);
    received.add(receiveMessageOnPort(port2)!.message as RoutePart);
  }
  t.same(received.join(rest), routes);
  const next: MapDelta<RouteChange> = { set: [['large', changed(1)]], removed: [] };
  t.equal(received.join(next), next, 'the next change has nothing of this one');
});
