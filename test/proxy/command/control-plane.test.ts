import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as aTurn } from 'node:timers/promises';
import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { ConfigError } from '../../../config/problems.ts';
import type { SnapshotDelta } from '../../../config/snapshot.ts';
import { RuntimeOverrides } from '../../../proxy/admin/runtime-overrides.ts';
import { describeConfigError, followControlPlanes, noControlPlane } from '../../../proxy/command/control-plane.ts';
import { DiscoveryObservation } from '../../../proxy/command/discovery-observation.ts';
import { DiscoveryStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { createProcessLog } from '../../../proxy/telemetry/process-log.ts';
import { SnapshotStats } from '../../../proxy/telemetry/snapshot-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { SnapshotPublisher } from '../../../proxy/worker/snapshot-publisher.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

function partsFor(yaml: string) {
  const deltas: SnapshotDelta[] = [];
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const publisher = new SnapshotPublisher({
    publish: (delta) => [deltas.push(delta)].values(),
    onSnapshot: () => undefined,
    onDnsClusters: () => undefined,
    onLate: () => undefined,
    maxWaitMs: 0,
    schedule: () => () => undefined,
    defer: setImmediate,
    clock: () => 0,
  });
  const observation = new DiscoveryObservation({
    stats: new DiscoveryStats(stats, store),
    snapshotStats: new SnapshotStats(stats, 1),
    snapshot: () => null,
    clock: Date.now,
    onRead: () => undefined,
    schedule: () => undefined,
  });
  const parts = {
    bootstrap: bootstrapOf(yaml).bootstrap,
    publisher,
    overrides: new RuntimeOverrides(),
    observation,
    pool: {
      prepareListener: (_listener: Listener, _older?: Listener): string | undefined => undefined,
      discardListener: () => undefined,
      answerDemands: () => undefined,
      refuseDemand: () => undefined,
    },
    accessLogs: { open: () => undefined },
    drainTimeMs: 0,
    cacheDirectory: null,
    ownSecrets: undefined,
    log: createProcessLog({ level: 'off', componentLevels: '' }).component('config'),
  };
  return { parts, deltas };
}

t.test('a bootstrap that has everything is published whole, and nobody is followed', async (t) => {
  const { parts, deltas } = partsFor('static_resources: { clusters: [{ name: app, type: STATIC }] }');
  t.equal(await followControlPlanes(parts), noControlPlane);
  t.same(noControlPlane.sources(), []);
  t.same(noControlPlane.resources('any'), []);
  t.equal(deltas.length, 1);
  t.same(
    deltas[0]!.clusters.set.map(([name]) => name),
    ['app'],
  );
});

t.test('runtime layers from elsewhere reach the publisher with the others', async (t) => {
  const path = join(t.testdir({}), 'runtime.yaml');
  const type = 'type.googleapis.com/envoy.service.runtime.v3.Runtime';
  writeFileSync(path, `version_info: '1'\nresources: [{ '@type': ${type}, name: sent, layer: { a: 2 } }]\n`);
  const source = `{ path_config_source: { path: '${path}' }, resource_api_version: V3 }`;
  const { parts, deltas } = partsFor(`
node: { id: n, cluster: c }
layered_runtime:
  layers:
    - { name: written, static_layer: { a: 1, b: 1 } }
    - { name: sent, rtds_layer: { name: sent, rtds_config: ${source} } }
`);
  const dynamic = await followControlPlanes(parts);
  t.teardown(() => dynamic.stop());
  while (deltas.length === 0) await aTurn();
  t.same([...deltas[0]!.runtime!].sort(), [
    ['a', 2],
    ['b', 1],
  ]);
  t.match(dynamic.resources(type), onlyItems({ name: 'sent', state: 'active' }));
});

t.test('who opens sockets is told the state of a listener that serves, and none of one that was removed', async (t) => {
  const directory = t.testdir({});
  const { parts, deltas } = partsFor(`
node: { id: n, cluster: c }
static_resources: { clusters: [{ name: app, type: STATIC }] }
dynamic_resources: { lds_config: { path_config_source: { path: '${join(directory, 'lds.yaml')}' } } }
`);
  const portOf = (listener?: Listener) => (listener?.address.kind === 'ip' ? listener.address.port : null);
  const prepared: (number | null)[][] = [];
  parts.pool.prepareListener = (listener, older) => {
    prepared.push([portOf(listener), portOf(older)]);
    return undefined;
  };
  let version = 0;
  const write = (...ports: readonly number[]): void => {
    const type = 'type.googleapis.com/envoy.config.listener.v3.Listener';
    const proxy = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
    const filter = `{ name: t, typed_config: { '@type': ${proxy}, stat_prefix: t, cluster: app } }`;
    const written = ports.map((port) => {
      const address = `{ socket_address: { address: 127.0.0.1, port_value: ${port} } }`;
      return `{ '@type': ${type}, name: a, address: ${address}, filter_chains: [{ filters: [${filter}] }] }`;
    });
    writeFileSync(join(directory, 'new.yaml'), `version_info: '${++version}'\nresources: [${written.join()}]\n`);
    renameSync(join(directory, 'new.yaml'), join(directory, 'lds.yaml'));
  };
  write(80);
  const dynamic = await followControlPlanes(parts);
  t.teardown(() => dynamic.stop());
  while (deltas.length === 0) await aTurn();
  for (const ports of [[81], [], [81]]) {
    write(...ports);
    while (dynamic.sources()[0]!.types[0]!.version !== `${version}`) await aTurn();
    await aTurn();
  }
  t.same(prepared, [
    [80, null],
    [81, 80],
    [81, null],
  ]);
});

t.test('only an error of the configuration is a line for people', async (t) => {
  t.equal(describeConfigError(new ConfigError('static', [{ path: 'a', message: 'b' }])), 'static: 1 problem\n  a: b');
  t.throws(() => describeConfigError(new TypeError('ours')), TypeError);
});
