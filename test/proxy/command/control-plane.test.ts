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

/** `steps`: of handing out each delta; a slice has one. */
function partsFor(yaml: string, steps: (delta: SnapshotDelta) => Iterable<unknown> = () => []) {
  const deltas: SnapshotDelta[] = [];
  let nowMs = 0;
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const publisher = new SnapshotPublisher({
    *publish(delta) {
      yield* steps(delta);
      deltas.push(delta);
    },
    onSnapshot: () => undefined,
    onDnsClusters: () => undefined,
    onLate: () => undefined,
    maxWaitMs: 0,
    schedule: () => () => undefined,
    defer: setImmediate,
    clock: () => (nowMs += 5),
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
      prepareListener: (_listener: Listener): string | undefined => undefined,
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
  t.match(dynamic.resources(type), [{ name: 'sent', state: 'active' }]);
});

t.test('a listener finds the address free that another was told to leave while a delta is handed out', async (t) => {
  const listening = new Set<string>();
  const state = { isSlow: false };
  const { parts, deltas } = partsFor(
    `
node: { id: n, cluster: c }
static_resources: { clusters: [{ name: app, type: STATIC }] }
dynamic_resources: { lds_config: { path_config_source: { path: '${join(t.testdirName, 'lds.yaml')}' } } }
`,
    function* ({ listeners }) {
      for (const name of listeners.removed) listening.delete(name);
      for (const [name] of listeners.set) listening.add(name);
      for (let turn = 0; state.isSlow && turn < 100_000; turn++) yield;
    },
  );
  parts.pool.prepareListener = ({ name }) => (listening.has('a') && name === 'b' ? 'a listens there' : undefined);
  const directory = t.testdir({});
  const write = (version: number, names: readonly string[]): void => {
    const type = 'type.googleapis.com/envoy.config.listener.v3.Listener';
    const proxy = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
    const filter = `{ name: t, typed_config: { '@type': ${proxy}, stat_prefix: t, cluster: app } }`;
    const address = '{ socket_address: { address: 127.0.0.1, port_value: 80 } }';
    const written = names.map(
      (name) => `{ '@type': ${type}, name: ${name}, address: ${address}, filter_chains: [{ filters: [${filter}] }] }`,
    );
    const text = `version_info: '${version}'\nresources: [${written.join()}]\n`;
    writeFileSync(join(directory, 'new.yaml'), text);
    renameSync(join(directory, 'new.yaml'), join(directory, 'lds.yaml'));
  };
  write(1, ['a']);
  const dynamic = await followControlPlanes(parts);
  t.teardown(() => dynamic.stop());
  while (deltas.length === 0) await aTurn();
  const type = dynamic.sources()[0]!.types[0]!.typeUrl;
  state.isSlow = true;
  const nothing = { set: [], removed: [] };
  const runtime = new Map([['a', 1]]);
  parts.publisher.update({
    listeners: nothing,
    clusters: nothing,
    assignments: nothing,
    routes: nothing,
    secrets: nothing,
    runtime,
  });
  parts.publisher.flush();
  write(2, []);
  while (dynamic.sources()[0]!.types[0]!.version !== '2') await aTurn();
  write(3, ['b']);
  while (dynamic.sources()[0]!.types[0]!.version !== '3') await aTurn();
  state.isSlow = false;
  t.match(
    dynamic.resources(type).find(({ name }) => name === 'b'),
    { refused: undefined },
  );
  while (!listening.has('b')) await aTurn();
  t.same([...listening], ['b']);
});

t.test('only an error of the configuration is a line for people', async (t) => {
  t.equal(describeConfigError(new ConfigError('static', [{ path: 'a', message: 'b' }])), 'static: 1 problem\n  a: b');
  t.throws(() => describeConfigError(new TypeError('ours')), TypeError);
});
