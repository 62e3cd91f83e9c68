import t from 'tap';
import { clustersOfListener, clustersOfRoutes, collectorsOfListener, namedRoutesOf } from '../../config/references.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';

const manager = (routes: string) =>
  `{name: http, typed_config: {"@type": t/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager, stat_prefix: p, http_filters: [{name: r, typed_config: {"@type": t/envoy.extensions.filters.http.router.v3.Router}}], ${routes}}}`;
const tcp = (target: string) =>
  `{name: tcp, typed_config: {"@type": t/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: p, ${target}}}`;
const address = '{socket_address: {address: 127.0.0.1, port_value: 1000}}';
const rds = (name: string) => `rds: {route_config_name: ${name}, config_source: {path: /x.yaml}}`;
const routes = (...actions: readonly string[]) =>
  `{validate_clusters: false, virtual_hosts: [{name: h, domains: ["*"], routes: [${actions.map((action) => `{match: {prefix: /}, ${action}}`).join(', ')}]}]}`;

function listener(filters: readonly string[], fallback: string) {
  const chains = filters.map(
    (filter, index) => `{filter_chain_match: {destination_port: ${index + 1}}, filters: [${filter}]}`,
  );
  const yaml = `{name: l, address: ${address}, filter_chains: [${chains.join(', ')}], default_filter_chain: {filters: [${fallback}]}}`;
  return bootstrapOf(`{static_resources: {listeners: [${yaml}]}}`).bootstrap.listeners[0]!;
}

t.test('a listener names the clusters of tcp_proxy and of the routes in it', async (t) => {
  const weighted = 'weighted_clusters: {clusters: [{name: b, weight: 1}, {name: c, weight: 1}]}';
  const found = listener(
    [
      tcp('cluster: a'),
      tcp(weighted),
      manager(
        `route_config: ${routes(
          'route: {cluster: d}',
          'route: {cluster_header: x}',
          'route: {weighted_clusters: {clusters: [{name: e, weight: 1}, {cluster_header: x, weight: 1}]}}',
          'redirect: {path_redirect: /}',
        )}`,
      ),
    ],
    tcp('cluster: f'),
  );
  t.same([...clustersOfListener(found)], ['a', 'b', 'c', 'd', 'e', 'f']);
  t.same(namedRoutesOf(found), []);
  const filter = found.filterChains[2]!.filters[0]!;
  if (filter.kind !== 'http-connection-manager' || filter.config.routes.kind !== 'inline') throw new Error('no routes');
  t.same([...clustersOfRoutes(filter.config.routes.routes)], ['d', 'e']);
});

t.test('a listener names each of its route configurations once', async (t) => {
  const found = listener([manager(rds('a')), manager(rds('b')), manager(rds('a'))], manager(rds('c')));
  t.same(
    namedRoutesOf(found).map(({ name }) => name),
    ['a', 'b', 'c'],
  );
  t.equal(clustersOfListener(found).size, 0);
});

t.test('a listener names the clusters that its spans and access logs are sent to', async (t) => {
  const grpc = (cluster: string) => `grpc_service: {envoy_grpc: {cluster_name: ${cluster}}}`;
  const log = (cluster: string) =>
    `access_log: [{name: a, typed_config: {"@type": t/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig, ${grpc(cluster)}}}, {name: b, typed_config: {"@type": t/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}}]`;
  const tracing = `tracing: {provider: {name: p, typed_config: {"@type": t/envoy.config.trace.v3.OpenTelemetryConfig, ${grpc('spans')}}}}`;
  const member = (name: string) =>
    `{name: ${name}, load_assignment: {cluster_name: ${name}, endpoints: [{lb_endpoints: [{endpoint: {address: ${address}}}]}]}}`;
  const yaml = `{name: l, address: ${address}, ${log('all')}, filter_chains: [{filters: [${manager(`route_config: {}, ${tracing}, ${log('http')}`)}]}], default_filter_chain: {filters: [${tcp(`cluster: tcp, ${log('tcp')}`)}]}}`;
  const members = ['all', 'spans', 'http', 'tcp'].map(member).join(', ');
  const text = `{static_resources: {listeners: [${yaml.replace('cluster: tcp,', 'cluster: other,')}], clusters: [${members}]}}`;
  const found = bootstrapOf(text).bootstrap.listeners[0]!;
  t.same([...collectorsOfListener(found)], ['all', 'http', 'spans', 'tcp']);
  t.same([...clustersOfListener(found)], ['other']);
  t.equal(collectorsOfListener(listener([], tcp('cluster: a'))).size, 0);
});
