import t from 'tap';
import type { KeptType } from '../../../xds/client/cache-format.ts';
import { CachedSource } from '../../../xds/client/cached-source.ts';
import { DiscoveryClient } from '../../../xds/client/discovery-client.ts';
import { HandClock, PlayedTransport } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType } from '../../support/discovery-messages.ts';
import { holdingConsumer } from '../../support/holding-consumer.ts';
import { onlyItems } from '../../support/only-items.ts';

const secretType = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
const kept = (typeUrl: string, ...names: readonly string[]): KeptType => ({
  source: 'ads',
  typeUrl,
  resources: names.map((name) => ({
    name,
    version: `v-${name}`,
    bytes: Buffer.from([10, name.length, ...Buffer.from(name)]),
  })),
});

/** Endpoints are subscribed to as an assembler does it: a turn after their cluster was given. */
function made(earlier: readonly KeptType[]) {
  const time = new HandClock();
  const transport = new PlayedTransport('delta');
  const clusters = holdingConsumer(clusterType);
  const endpoints = holdingConsumer(endpointType);
  const secrets = holdingConsumer(secretType);
  const changes = { count: 0 };
  const logged: string[] = [];
  const log = (level: string, text: string) => void logged.push(`${level} ${text}`);
  const { clock, schedule, defer } = time;
  const source = new CachedSource({
    name: 'ads',
    keptAs: 'ads',
    kept: earlier,
    consumers: [clusters, endpoints, secrets].map(({ consumer }) => consumer),
    makeSource: (consumers) =>
      new DiscoveryClient({
        name: 'ads',
        protocol: 'delta',
        node: new Uint8Array(),
        setNodeOnFirstMessageOnly: true,
        transport,
        consumers,
        clock,
        schedule,
        defer,
        random: () => 0.5,
        log,
      }),
    clock,
    defer,
    log,
    onChange: () => changes.count++,
  });
  clusters.recorder.onTold = ({ resources }) => {
    for (const { name } of resources) defer(() => defer(() => source.subscribe(endpointType, name, 0)));
  };
  const endTurns = () => {
    for (let turn = 0; turn < 20; turn++) time.endTurn();
  };
  return { source, clusters, endpoints, secrets, transport, changes, logged, time, endTurns };
}

t.test('what was kept is given to those who subscribe, and then named to the control plane', async (t) => {
  const { source, clusters, endpoints, transport, endTurns } = made([
    kept(clusterType, 'a', 'b'),
    kept(endpointType, 'a', 'x'),
    { ...kept(clusterType, 'elsewhere'), source: 'cds other' },
  ]);
  source.subscribe(clusterType, '*', 0);
  source.start();
  t.same(clusters.recorder.take(), [], 'not in the middle of a subscription');
  endTurns();
  t.same(clusters.recorder.take(), ['+a@v-a', '+b@v-b']);
  t.same(endpoints.recorder.take(), ['+a@v-a'], 'nobody asked for x');
  t.equal(transport.streams.length, 1);
  t.match(
    transport.last.take(),
    onlyItems(
      { type: clusterType, initialVersions: { a: 'v-a', b: 'v-b' } },
      { type: endpointType, subscribe: onlyItems('a', 'b'), initialVersions: { a: 'v-a' } },
    ),
  );
});

t.test('what is large is decoded in slices, is still to be kept meanwhile, and the stream waits for it', async (t) => {
  const large = kept(clusterType, 'a', ...Array.from({ length: 300 }, (_, index) => `${'x'.repeat(120)}${index}`));
  const { source, clusters, transport, time, endTurns } = made([large]);
  clusters.recorder.prepare = function* slowSteps() {
    for (let step = 0; step < 30; step++) {
      time.nowMs += 10;
      yield;
    }
  };
  source.subscribe(clusterType, '*', 0);
  t.equal(source.content()[0]?.resources.length, 301);
  source.start();
  endTurns();
  t.same([clusters.recorder.take().length, transport.streams.length], [0, 0]);
  t.equal(source.content()[0]?.resources.length, 301);
  for (let round = 0; round < 3; round++) endTurns();
  t.same([clusters.recorder.take().length, transport.streams.length], [301, 1]);
  t.equal(source.content()[0]?.resources.length, 301);
});

t.test('without anything kept the stream is opened at once', async (t) => {
  const { source, transport } = made([]);
  source.start();
  t.equal(transport.streams.length, 1);
});

t.test('once the control plane spoke of a type, what was kept of it is past', async (t) => {
  const { source, clusters, endpoints, transport, endTurns } = made([
    kept(clusterType, 'a'),
    kept(endpointType, 'a', 'x'),
  ]);
  source.subscribe(clusterType, '*', 0);
  source.start();
  endTurns();
  transport.last.respond({ type: endpointType, nonce: 'n', resources: [{ name: 'a', version: '2' }] });
  source.subscribe(endpointType, 'x', 0);
  endTurns();
  t.same(endpoints.recorder.take(), ['+a@v-a', '+a@2']);
  t.same(
    source
      .content()
      .map(({ typeUrl, resources }) => [typeUrl, resources.map(({ name, version }) => `${name} ${version}`)]),
    [
      [clusterType, ['a v-a']],
      [endpointType, ['a 2']],
    ],
  );
  t.same(clusters.recorder.take(), ['+a@v-a']);
});

t.test('what the control plane sends while what was kept of its type is decoded stays', async (t) => {
  const names = Array.from({ length: 300 }, (_, index) => `${'x'.repeat(120)}${index}`);
  const { source, endpoints, transport, time, endTurns } = made([kept(endpointType, 'a', ...names)]);
  endpoints.recorder.prepare = function* slowSteps() {
    for (let step = 0; step < 9; step++) {
      time.nowMs += 10;
      yield;
    }
  };
  source.subscribe(clusterType, '*', 0);
  source.start();
  endTurns();
  for (const name of ['a', ...names]) source.subscribe(endpointType, name, 0);
  for (let turn = 0; turn < 3; turn++) time.endTurn();
  transport.last.respond({ type: endpointType, nonce: 'n', resources: [{ name: 'a', version: '2' }] });
  endTurns();
  t.same(endpoints.recorder.take(), ['+a@2']);
  t.match(source.content(), onlyItems({ resources: onlyItems({ name: 'a', version: '2' }) }));
});

t.test('what the control plane sends in the turn in which what was kept is asked for stays', async (t) => {
  const { source, endpoints, transport, endTurns } = made([kept(endpointType, 'a', 'x')]);
  source.subscribe(endpointType, 'a', 0);
  source.start();
  endTurns();
  source.subscribe(endpointType, 'x', 0);
  const resources = [{ name: 'x', version: '2' }];
  transport.last.respond({ type: endpointType, nonce: 'n', resources });
  endTurns();
  t.same(endpoints.recorder.take(), ['+a@v-a', '+x@2']);
});

t.test('what is to be kept is what is held, and what nobody has asked for yet', async (t) => {
  const { source, transport, changes, endTurns, secrets } = made([kept(endpointType, 'x')]);
  source.subscribe(clusterType, '*', 0);
  source.subscribe(secretType, 's', 0);
  source.start();
  endTurns();
  transport.last.respond({
    type: clusterType,
    nonce: 'n',
    resources: [
      { name: 'a', version: '1' },
      { name: 'keyed', version: '1' },
      { name: 'brief', version: '1' },
    ],
  });
  transport.last.respond({ type: secretType, nonce: 'n', resources: [{ name: 's', version: '1' }] });
  t.equal(changes.count, 2);
  t.same(secrets.recorder.take(), ['+s@1']);
  const names = () => source.content().map(({ typeUrl, resources }) => [typeUrl, ...resources.map(({ name }) => name)]);
  t.same(
    names(),
    [
      [clusterType, 'a'],
      [endpointType, 'x'],
    ],
    'secrets never, nor what holds keys or expires',
  );
  transport.last.respond({ type: clusterType, nonce: 'm', removed: ['a', 'keyed', 'brief'] });
  t.same(names(), [[endpointType, 'x']]);
  t.equal(changes.count, 3);
  source.unsubscribe(secretType, 's');
  t.equal(changes.count, 4, 'what is let go is not to be kept any more');
});

t.test('what was kept and is used is not late, though the control plane is away', async (t) => {
  const { source, clusters, endpoints, time, logged, endTurns } = made([
    kept(clusterType, 'a'),
    kept(endpointType, 'a', 'b'),
  ]);
  endpoints.recorder.refuses.set('b', [{ path: 'p', message: 'is bad' }]);
  source.subscribe(clusterType, '*', 15_000);
  for (const name of ['a', 'b', 'c']) source.subscribe(endpointType, name, 15_000);
  source.start();
  endTurns();
  time.advance(15_000);
  t.same(clusters.recorder.take(), ['+a@v-a']);
  t.same(endpoints.recorder.take(), ['+a@v-a', '?b', '?c'], 'what was refused and what was not kept is');
  t.equal(logged.filter((line) => /did not come|nothing came/.test(line)).length, 2);
});

t.test('what is refused now is said, and the rest is used', async (t) => {
  const { source, clusters, logged, endTurns } = made([kept(clusterType, 'a', 'b')]);
  clusters.recorder.refuses.set('a', [{ path: 'p', message: 'is bad' }]);
  source.subscribe(clusterType, '*', 0);
  source.start();
  endTurns();
  t.same([...clusters.recorder.held.keys()], ['b']);
  t.ok(logged.includes('warning configuration of an earlier run was refused'));
});

t.test(
  '… but not to the control plane, which did not send it: the first request of a type answers nothing',
  async (t) => {
    const { source, clusters, transport, endTurns } = made([kept(clusterType, 'a', 'b')]);
    clusters.recorder.refuses.set('a', [{ path: 'p', message: 'is bad' }]);
    source.subscribe(clusterType, '*', 0);
    source.start();
    endTurns();
    t.same(
      transport.last.requests.map(({ type, nonce, error, initialVersions }) => ({
        type,
        nonce,
        error,
        initialVersions,
      })),
      [
        { type: clusterType, nonce: '', error: undefined, initialVersions: { b: 'v-b' } },
        { type: endpointType, nonce: '', error: undefined, initialVersions: {} },
      ],
    );
  },
);

t.test('what was kept is not given after a stop', async (t) => {
  const { source, clusters, endTurns } = made([kept(clusterType, 'a')]);
  source.subscribe(clusterType, '*', 0);
  source.start();
  source.stop();
  endTurns();
  t.same(clusters.recorder.take(), []);
});

t.test('a source that was stopped before it began does not begin', async (t) => {
  const { source, transport, endTurns } = made([kept(clusterType, 'a')]);
  source.start();
  source.stop();
  endTurns();
  t.equal(transport.streams.length, 0);
});
