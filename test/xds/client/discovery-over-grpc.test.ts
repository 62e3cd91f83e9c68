// The client, the transport and a control plane together, over connections that break.

import t, { type Test } from 'tap';
import { DiscoveryClient } from '../../../xds/client/discovery-client.ts';
import { makeGrpcTransport } from '../../../xds/client/grpc-transport.ts';
import {
  aggregatedMethod,
  ControlPlaneBench,
  type Fault,
  startControlPlane,
} from '../../support/control-plane-bench.ts';
import { RecordingConsumer } from '../../support/discovery-fixtures.ts';
import {
  clusterType,
  endpointType,
  listenerType,
  type Protocol,
  routeType,
  writeNode,
} from '../../support/discovery-messages.ts';

const protocols: readonly Protocol[] = ['delta', 'state-of-the-world'];
const types = [clusterType, endpointType, listenerType, routeType];

/** A client that asks for endpoints of the clusters and for routes of the listeners that it is told, as a sidecar does. */
function startClient(t: Test, protocol: Protocol, port: number) {
  const consumers = new Map(types.map((type) => [type, new RecordingConsumer(type)]));
  const credentials = {};
  const client = new DiscoveryClient({
    name: 'ads',
    protocol,
    node: writeNode('me'),
    setNodeOnFirstMessageOnly: true,
    transport: makeGrpcTransport({
      service: { target: { kind: 'uri', uri: `127.0.0.1:${port}`, credentials }, initialMetadata: [] },
      clusters: new Map(),
      method: aggregatedMethod[protocol],
    }),
    consumers: [...consumers.values()],
    clock: Date.now,
    random: () => 0,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    defer: setImmediate,
    log: () => {},
  });
  for (const [parent, child] of [
    [clusterType, endpointType],
    [listenerType, routeType],
  ] as const) {
    consumers.get(parent)!.onTold = ({ resources, removed }) => {
      for (const { name } of resources) client.subscribe(child, name, 0);
      for (const name of removed) client.unsubscribe(child, name);
    };
    client.subscribe(parent, '*', 0);
  }
  client.start();
  t.teardown(() => client.stop());
  return { client, held: (type: string) => Object.fromEntries(consumers.get(type)!.held), consumers };
}

/** Each cluster has endpoints, each listener routes. */
function setWorld(bench: ControlPlaneBench, version: string, names: readonly string[]): void {
  for (const type of types) bench.set(type, Object.fromEntries(names.map((name) => [name, version])));
}

/** The control plane has nothing more to say, and each client has answered all. */
function untilSettled(bench: ControlPlaneBench, { consumers }: ReturnType<typeof startClient>): Promise<void> {
  const isComplete = (type: string) => {
    const there = bench.world.get(type)!;
    const { held } = consumers.get(type)!;
    return [...there.keys()].every((name) => held.has(name));
  };
  return bench.until(() => bench.isSettled && types.every(isComplete));
}

for (const protocol of protocols) {
  t.test(`${protocol}: what a control plane has, changes and removes is held, and all is acknowledged`, async (t) => {
    const { bench, port } = await startControlPlane(t);
    setWorld(bench, '1', ['a', 'b']);
    const started = startClient(t, protocol, port);
    await untilSettled(bench, started);
    const before = started.held(routeType);
    setWorld(bench, '2', ['b', 'c']);
    await untilSettled(bench, started);
    t.same(Object.keys(started.held(clusterType)), ['b', 'c']);
    const after = started.held(routeType);
    // The state of the world has no version but that of the response in which a resource came.
    const version = protocol === 'delta' ? /^2$/ : /^v\d+$/;
    t.match(after, { b: version, c: version });
    t.not(after['b'], before['b'], 'the new state of what was there before');
    t.same(bench.violations, []);
    t.same(bench.last.session.refusals, []);
    t.equal(bench.streams.length, 1);
  });

  for (const fault of ['cut', 'fail', 'end', 'twice', 'hold'] satisfies readonly Fault[]) {
    t.test(`${protocol}: ${fault} at any response leaves nothing missing`, async (t) => {
      for (let at = 0; at < 6; at++) {
        const { bench, port } = await startControlPlane(t);
        bench.faultOf = (_, index) => (index === at ? fault : 'none');
        setWorld(bench, '1', ['a', 'b']);
        const started = startClient(t, protocol, port);
        await bench.until(() => bench.responses > 3);
        setWorld(bench, '2', ['a', 'b', 'c']);
        await bench.until(() => bench.responses > at);
        setWorld(bench, '3', ['b', 'c', 'd']);
        await untilSettled(bench, started);
        t.same(Object.keys(started.held(clusterType)).sort(), ['b', 'c', 'd']);
        t.same(bench.violations, [], `at ${at}`);
        t.equal(bench.streams.length, ['cut', 'fail', 'end'].includes(fault) ? 2 : 1);
        started.client.stop();
        bench.close();
      }
    });
  }

  t.test(`${protocol}: a control plane that is away for long finds its client with what it held`, async (t) => {
    const { bench, port } = await startControlPlane(t);
    setWorld(bench, '1', ['a']);
    const started = startClient(t, protocol, port);
    await untilSettled(bench, started);
    bench.close();
    const later = new ControlPlaneBench();
    t.teardown(() => later.close());
    for (const type of types) later.world.set(type, new Map([['b', '1']]));
    await later.listen(port);
    await untilSettled(later, started);
    t.same(Object.keys(started.held(clusterType)), ['b'], 'and takes from it what is gone');
    t.same(later.violations, []);
  });

  t.test(`${protocol}: a type that is never answered holds nothing else up`, async (t) => {
    const { bench, port } = await startControlPlane(t);
    bench.faultOf = ({ type }) => (type === endpointType ? 'swallow' : 'none');
    setWorld(bench, '1', ['a']);
    const { consumers, client } = startClient(t, protocol, port);
    const { promise, resolve } = Promise.withResolvers<void>();
    consumers.get(routeType)!.onTold = () => resolve();
    await promise;
    t.same([...consumers.get(endpointType)!.held], []);
    t.equal(client.status().connection.kind, 'connected');
  });

  t.test(`${protocol}: a response of a hundred megabytes is taken and acknowledged`, async (t) => {
    const { bench, port } = await startControlPlane(t);
    setWorld(bench, '1', []);
    const { consumers, client } = startClient(t, protocol, port);
    const clusters = consumers.get(clusterType)!;
    clusters.onTold = undefined;
    await bench.until(() => bench.isSettled);
    const text = 'x'.repeat(10_000);
    const resources = Array.from({ length: 10_000 }, (_, i) => ({ name: `c${i}`, version: '1', text }));
    const huge = { type: clusterType, nonce: 'huge', resources };
    bench.last.session.expectAgain(huge);
    bench.last.respond(huge);
    await bench.until(() => bench.isSettled);
    t.equal(clusters.held.size, 10_000);
    t.ok(client.status().types[0]!.bytesReceived > 100_000_000);
    t.same(bench.violations, []);
  });
}
