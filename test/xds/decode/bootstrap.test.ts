import t from 'tap';
import { decodeBootstrap } from '../../../xds/decode/bootstrap.ts';
import type { Bootstrap } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noFields } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const bootstrap = (fields: string) =>
  decodedAs('envoy.config.bootstrap.v3.Bootstrap', `{${fields}}`, (message: Bootstrap, problems) =>
    decodeBootstrap(message, {}, problems),
  );
const filter =
  '{name: f, typed_config: {"@type": a/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}';
const at = (port: number, ip = '127.0.0.1') => `{socket_address: {address: "${ip}", port_value: ${port}}}`;
const listener = (name: string, address: string, more = '') =>
  `{name: ${name}, address: ${address}, filter_chains: [{filters: [${filter}]}]${more}}`;
const listeners = (...list: readonly string[]) => bootstrap(`static_resources: {listeners: [${list.join(', ')}]}`);

t.test('an empty bootstrap has nothing', async (t) => {
  const { value, problems } = bootstrap('');
  t.same(problems, []);
  t.match(value.node, { id: '', cluster: '', locality: { region: '', zone: '', subZone: '' }, metadata: noFields });
  t.same(
    { ...value, node: undefined },
    {
      node: undefined,
      listeners: [],
      clusters: [],
      grpcClusters: new Map(),
      secrets: new Map(),
      dynamicResources: {},
      runtime: new Map(),
      runtimeLayers: [],
      stats: { histogramBuckets: [], matcher: { kind: 'all' }, sinks: [], flushIntervalMs: 5_000 },
    },
  );
});

t.test('the parts are put together', async (t) => {
  const { value, problems } = bootstrap(
    `node: {id: n}, admin: {address: ${at(1)}}, layered_runtime: {layers: [{name: r, static_layer: {overload: {global_downstream_max_connections: 9}}}]}, cluster_manager: {upstream_bind_config: {source_address: {address: 127.0.0.2, port_value: 0}}}, static_resources: {listeners: [${listener('l', at(2))}], clusters: [{name: c}]}`,
  );
  t.same(problems, []);
  t.match(value, {
    node: { id: 'n' },
    admin: { address: { port: 1 } },
    listeners: onlyItems({ name: 'l' }),
    clusters: onlyItems({ name: 'c', bindAddress: { ip: '127.0.0.2' } }),
    maxDownstreamConnections: 9,
  });
});

t.test('names are unique', async (t) => {
  t.same(bootstrap('static_resources: {clusters: [{name: c}, {name: c}]}').problems, [
    'static_resources.clusters[1].name: cluster "c" exists already: static_resources.clusters[0]',
  ]);
  t.same(listeners(listener('l', at(1)), listener('l', at(2))).problems, [
    'static_resources.listeners[1].name: listener "l" exists already: static_resources.listeners[0]',
  ]);
});

t.test('no two listeners have one address', async (t) => {
  const problem = (address: string, place = 'address') =>
    `static_resources.listeners[1].${place}: ${address} is the address of listeners[0] already`;
  t.same(listeners(listener('l', at(1)), listener('m', at(1))).problems, [problem('127.0.0.1:1')]);
  t.same(listeners(listener('l', at(1, '::1')), listener('m', at(1, '0:0::1'))).problems, [problem('[::1]:1')]);
  t.same(
    listeners(listener('l', at(1)), listener('m', at(2), `, additional_addresses: [{address: ${at(1)}}]`)).problems,
    [problem('127.0.0.1:1', 'additional_addresses[0].address')],
  );
  t.same(listeners(listener('l', '{pipe: {path: /a}}'), listener('m', '{pipe: {path: /a}}')).problems, [problem('/a')]);
  t.same(listeners(listener('l', at(0)), listener('m', at(0))).problems, [], 'port 0 is a new one each time');
  t.same(listeners(listener('l', at(1, '0.0.0.0')), listener('m', at(1))).problems, [], 'the kernel tells them apart');
});

const adsApi = (cluster: string) =>
  `ads_config: {api_type: DELTA_GRPC, grpc_services: [{envoy_grpc: {cluster_name: ${cluster}}}]}`;
const controlPlane = `{name: control, load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: ${at(9)}}}]}]}}`;
const dynamic = (resources: string, more = 'node: {id: i, cluster: c}') =>
  bootstrap(`${more}, dynamic_resources: {${resources}}, static_resources: {clusters: [${controlPlane}]}`);

t.test('a control plane, with what comes from it', async (t) => {
  const { value, problems } = dynamic(`${adsApi('control')}, cds_config: {ads: {}}, lds_config: {path: /lds.yaml}`);
  t.same(problems, []);
  t.same(value.clusters, []);
  t.match(value.grpcClusters.get('control'), { name: 'control', endpoints: onlyItems({ port: 9 }) });
  t.match(value.dynamicResources, {
    ads: { protocol: 'delta', service: { target: { cluster: 'control' } } },
    clusters: { kind: 'ads' },
    listeners: { kind: 'path', path: '/lds.yaml' },
  });
});

t.test('the provider of the bootstrap is that of connection managers without one', async (t) => {
  const provider = (name: string) =>
    `{name: ${name}, typed_config: {"@type": a/envoy.config.trace.v3.ZipkinConfig, collector_cluster: c, collector_endpoint: /x, collector_endpoint_version: HTTP_JSON}}`;
  const manager = (tracing: string) =>
    `{name: m, typed_config: {"@type": a/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: s, route_config: {}, http_filters: [{name: r, typed_config: {"@type": a/envoy.extensions.filters.http.router.v3.Router}}], tracing: {${tracing}}}}`;
  const written = (name: string, port: number, tracing: string) =>
    `{name: ${name}, address: ${at(port)}, filter_chains: [{filters: [${manager(tracing)}]}]}`;
  const { value, problems } = bootstrap(
    `tracing: {http: ${provider('fallback')}}, static_resources: {clusters: [{name: c}], listeners: [${written('l', 1, '')}, ${written('m', 2, `provider: ${provider('own')}`)}]}`,
  );
  t.same(problems, []);
  t.match(value.traceProvider, { kind: 'zipkin', name: 'fallback' });
  const names = value.listeners.map(({ filterChains }) => {
    const filter = filterChains[0]?.filters[0];
    return filter?.kind === 'http-connection-manager' && filter.config.tracing?.provider?.name;
  });
  t.same(names, ['fallback', 'own']);
  t.matchOnly(
    bootstrap('tracing: {http: {name: d, typed_config: {"@type": a/envoy.config.trace.v3.XRayConfig}}}').problems,
    [/^tracing\.http\.typed_config: trace provider .*XRayConfig is not supported/],
  );
});

t.test('what comes from nowhere is a problem', async (t) => {
  t.same(dynamic('cds_config: {ads: {}}').problems, [
    'dynamic_resources.cds_config: there is no ads_config in the bootstrap that ads could mean',
  ]);
  t.same(dynamic(adsApi('contrl')).problems, [
    'dynamic_resources.ads_config.grpc_services[0]: there is no static cluster "contrl" for gRPC',
  ]);
  t.same(
    dynamic(
      `${adsApi('control')}, lds_config: {api_config_source: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: controll}}]}}`,
    ).problems,
    ['dynamic_resources.lds_config: there is no static cluster "controll" for gRPC; did you mean "control"?'],
  );
});

t.test('a control plane is told who asks', async (t) => {
  t.matchOnly(dynamic(adsApi('control'), 'node: {}').problems, [
    /^node\.id: id is required by a control plane; it may be given as --service-node/,
    /^node\.cluster: cluster is required by a control plane, or --service-cluster/,
  ]);
});

t.test('the extension of every Istio bootstrap is accepted, any other is not', async (t) => {
  const extension = (type: string) =>
    bootstrap(`bootstrap_extensions: [{name: e, typed_config: {"@type": a/${type}}}]`).problems;
  t.same(extension('envoy.extensions.bootstrap.internal_listener.v3.InternalListener'), []);
  t.matchOnly(extension('envoy.extensions.wasm.v3.WasmService'), [
    /^bootstrap_extensions\[0\]\.typed_config: .*WasmService is/,
  ]);
});
