import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Bootstrap } from '../../config/bootstrap.ts';
import type { ConfigSource } from '../../config/config-source.ts';
import { ConfigError } from '../../config/problems.ts';
import type { SnapshotChange } from '../../config/snapshot.ts';
import { DynamicConfiguration } from '../../xds/dynamic-configuration.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';
import { clusterOf } from '../support/data-plane.ts';

function follow(t: Test, yaml: string, overrides: Partial<Bootstrap> = {}) {
  const changes: SnapshotChange[] = [];
  const warnings: string[] = [];
  const ready = Promise.withResolvers<void>();
  const configuration = new DynamicConfiguration({
    bootstrap: { ...bootstrapOf(yaml).bootstrap, ...overrides },
    sockets: { prepare: () => undefined, discard: () => undefined, openLogs: () => undefined },
    drainTimeMs: 0,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    defer: setImmediate,
    clock: Date.now,
    random: Math.random,
    runtime: () => new Map(),
    onRuntimeLayer: () => undefined,
    onChange: (change) => changes.push(change),
    onReady: ready.resolve,
    log: (level, text) => {
      if (level === 'warning') warnings.push(text);
    },
  });
  t.teardown(() => configuration.stop());
  return { configuration, changes, warnings, ready: ready.promise };
}

const clusterType = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';

t.test('resources of a file become one configuration, and can be asked for', async (t) => {
  const path = join(t.testdir({}), 'clusters.yaml');
  writeFileSync(path, `version_info: v7\nresources: [{ '@type': ${clusterType}, name: app, type: STATIC }]\n`);
  const { configuration, changes, ready } = follow(
    t,
    `
node: { id: n, cluster: c }
dynamic_resources: { cds_config: { path_config_source: { path: '${path}' }, resource_api_version: V3 } }
static_resources: { clusters: [{ name: fixed, type: STATIC }] }
`,
  );
  configuration.start();
  await ready;
  t.same(
    changes.flatMap(({ clusters }) => clusters.set.map(([name]) => name)).sort(),
    ['app', 'fixed'],
    'static resources take part',
  );
  t.match(configuration.sources(), [{ protocol: 'file', target: path }]);
  const [app] = configuration.resources(clusterType);
  t.match(app, { name: 'app', state: 'active' });
  t.match(app?.document(), { name: 'app' });
});

t.test('static resources that cannot be are an error with their names', async (t) => {
  const source: ConfigSource = { kind: 'ads', initialFetchTimeoutMs: 0 };
  const cluster = clusterOf('app', [], { discovery: { kind: 'eds', serviceName: 'app', source } });
  const { configuration } = follow(t, 'node: { id: n, cluster: c }', { clusters: [cluster] });
  t.throws(() => configuration.start(), ConfigError);
  t.throws(() => follow(t, 'node: { id: n, cluster: c }', { clusters: [cluster] }).configuration.start(), {
    message: /app: eds_cluster_config\.eds_config: .*ads_config/,
  });
});
