import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Bootstrap } from '../../config/bootstrap.ts';
import type { ConfigSource } from '../../config/config-source.ts';
import { ConfigError } from '../../config/problems.ts';
import type { SnapshotChange } from '../../config/snapshot.ts';
import { DynamicConfiguration } from '../../xds/dynamic-configuration.ts';
import { makeRoot } from '../support/certificates.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';
import { clusterOf } from '../support/data-plane.ts';
import { onlyItems } from '../support/only-items.ts';

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
  t.match(configuration.sources(), onlyItems({ protocol: 'file', target: path }));
  const [app] = configuration.resources(clusterType);
  t.match(app, { name: 'app', state: 'active' });
  t.match(app?.document(), { name: 'app' });
});

t.test('every type of resource may come from a file of its own', async (t) => {
  const folder = t.testdir({});
  const fileOf = (name: string) => `path_config_source: {path: '${join(folder, name)}'}`;
  const write = (name: string, type: string, fields: string): void =>
    writeFileSync(join(folder, name), `resources: [{'@type': type.googleapis.com/envoy.${type}, ${fields}}]\n`);
  const filters = 'type.googleapis.com/envoy.extensions.filters';
  const tls = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext';
  const trust = `validation_context_sds_secret_config: {name: ca, sds_config: {${fileOf('sds')}}}`;
  const socket = `{name: tls, typed_config: {'@type': ${tls}, common_tls_context: {${trust}}}}`;
  const eds = `eds_cluster_config: {eds_config: {${fileOf('eds')}}}`;
  write('cds', 'config.cluster.v3.Cluster', `name: app, type: EDS, ${eds}, transport_socket: ${socket}`);
  const endpoint = '{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 80}}}}';
  write(
    'eds',
    'config.endpoint.v3.ClusterLoadAssignment',
    `cluster_name: app, endpoints: [{lb_endpoints: [${endpoint}]}]`,
  );
  const { certificate } = makeRoot(folder, 'root');
  const secret = `name: ca, validation_context: {trusted_ca: {filename: '${certificate}'}}`;
  write('sds', 'extensions.transport_sockets.tls.v3.Secret', secret);
  const rds = `rds: {route_config_name: table, config_source: {${fileOf('rds')}}}`;
  const corsType = `${filters}.http.cors.v3.Cors`;
  const cors = `{name: cors, config_discovery: {config_source: {${fileOf('ecds')}}, type_urls: [${corsType}]}}`;
  const router = `{name: router, typed_config: {'@type': ${filters}.http.router.v3.Router}}`;
  const manager = `{'@type': ${filters}.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: in, ${rds}, http_filters: [${cors}, ${router}]}`;
  const address = '{socket_address: {address: 127.0.0.1, port_value: 1}}';
  const chains = `filter_chains: [{filters: [{name: http, typed_config: ${manager}}]}]`;
  write('lds', 'config.listener.v3.Listener', `name: web, address: ${address}, ${chains}`);
  write('ecds', 'config.core.v3.TypedExtensionConfig', `name: cors, typed_config: {'@type': ${corsType}}`);
  const route = '{match: {prefix: /}, route: {cluster: app}}';
  write(
    'rds',
    'config.route.v3.RouteConfiguration',
    `name: table, virtual_hosts: [{name: all, domains: ['*'], routes: [${route}]}]`,
  );
  write('rtds', 'service.runtime.v3.Runtime', 'name: layer, layer: {a: 1}');
  const { configuration, changes, ready } = follow(
    t,
    `
node: { id: n, cluster: c }
dynamic_resources: { cds_config: { ${fileOf('cds')} }, lds_config: { ${fileOf('lds')} } }
layered_runtime: { layers: [{ name: sent, rtds_layer: { name: layer, rtds_config: { ${fileOf('rtds')} } } }] }
`,
  );
  configuration.start();
  await ready;
  const set = (part: 'clusters' | 'assignments' | 'routes' | 'listeners' | 'secrets') =>
    changes.flatMap((change) => change[part].set.map(([name]) => name));
  t.same(
    [set('clusters'), set('assignments'), set('routes'), set('listeners')],
    [['app'], ['app'], ['table'], ['web']],
  );
  t.equal(set('secrets').length, 1);
  const held = configuration.sources().map(({ protocol, types }) => `${protocol} ${types[0]?.heldCount}`);
  t.same(held, Array(7).fill('file 1'), 'with the configuration of a filter and the runtime');
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
