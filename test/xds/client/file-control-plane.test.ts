// Our client and our control plane, which share no code of the protocol: what a folder has is what the client holds.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ControlPlane } from '../../../control-plane/control-plane.ts';
import { parseControlPlaneFlags } from '../../../control-plane/flags.ts';
import { DiscoveryClient } from '../../../xds/client/discovery-client.ts';
import { makeGrpcTransport } from '../../../xds/client/grpc-transport.ts';
import { encodeMessage } from '../../../xds/message/wire-message.ts';
import { aggregatedMethod } from '../../support/control-plane-bench.ts';
import { renameIntoPlace, serviceText, writeFiles } from '../../support/control-plane-fixtures.ts';
import { RecordingConsumer } from '../../support/discovery-fixtures.ts';
import { clusterType, endpointType, type Protocol } from '../../support/discovery-messages.ts';

/** Follows clusters, and the endpoints of `a` and `b`. */
function startClient(t: Test, protocol: Protocol, address: string) {
  const clusters = new RecordingConsumer(clusterType);
  const endpoints = new RecordingConsumer(endpointType);
  const client = new DiscoveryClient({
    name: 'ads',
    protocol,
    node: encodeMessage({ id: 'me' }, 'envoy.config.core.v3.Node'),
    setNodeOnFirstMessageOnly: true,
    transport: makeGrpcTransport({
      service: { target: { kind: 'uri', uri: address, credentials: {} }, initialMetadata: [] },
      clusters: new Map(),
      method: aggregatedMethod[protocol],
    }),
    consumers: [clusters, endpoints],
    clock: Date.now,
    random: () => 0,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    defer: setImmediate,
    log: () => {},
  });
  client.subscribe(clusterType, '*', 0);
  for (const name of ['a', 'b']) client.subscribe(endpointType, name, 0);
  client.start();
  t.teardown(() => client.stop());
  const until = async (consumer: RecordingConsumer, told: RegExp) => {
    while (!consumer.told.some((line) => told.test(line))) {
      const { promise, resolve } = Promise.withResolvers<unknown>();
      consumer.onTold = resolve;
      await promise;
    }
    consumer.told.length = 0;
  };
  return { client, clusters, endpoints, until };
}

for (const protocol of ['delta', 'state-of-the-world'] as const) {
  t.test(`${protocol}: services come, change and go with their files`, async (t) => {
    const folder = t.testdir();
    writeFiles(folder, { 'a.yaml': serviceText('a') });
    const flags = parseControlPlaneFlags(['--dir', folder, '--listen', '127.0.0.1:0']);
    const controlPlane = new ControlPlane(flags!, () => {});
    const { port } = await controlPlane.start();
    t.teardown(() => controlPlane.close());
    const { client, clusters, endpoints, until } = startClient(t, protocol, `127.0.0.1:${port}`);
    await until(clusters, /^\+a@/);
    await until(endpoints, /^\+a@/);
    writeFiles(folder, { 'b.yaml': serviceText('b') });
    await until(clusters, /^\+b@/);
    await until(endpoints, /^\+b@/);
    t.same([...clusters.held.keys()].sort(), ['a', 'b']);
    renameIntoPlace(folder, 'a.yaml', serviceText('a', 99));
    await until(endpoints, /^\+a@/);
    rmSync(join(folder, 'b.yaml'));
    await until(clusters, /^-b$/);
    t.same([...clusters.held.keys()], ['a']);
    for (const { lastAck, lastNack } of client.status().types) t.ok(lastAck !== undefined && lastNack === undefined);
  });
}
