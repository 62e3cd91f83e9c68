import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { checkClusterReferences } from '../../../xds/decode/cluster-references.ts';
import { routeConfiguration } from '../../differential-config/config-place.ts';
import { bootstrapProblems } from '../../support/config-fixtures.ts';

const prefix = 'static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0]';
const host = (routes: string, more = '') =>
  bootstrapProblems(routeConfiguration(`${more}virtual_hosts: [{name: v, domains: ["*"], routes: [${routes}]}]`));

t.test('a route may name the clusters that are there', async (t) => {
  t.same(host('{match: {prefix: /}, route: {cluster: c}}'), []);
  t.same(host('{match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: c, weight: 1}]}}}'), []);
  t.same(host('{match: {prefix: /}, route: {cluster_header: x}}'), [], 'which one is known by request only');
  t.same(host('{match: {prefix: /}, redirect: {}}'), []);
});

t.test('one that is not there is named at its place, with the one that was probably meant', async (t) => {
  t.same(host('{match: {prefix: /}, redirect: {}}, {match: {prefix: /}, route: {cluster: nowhere}}'), [
    `${prefix}.routes[1].route.cluster: there is no cluster "nowhere"`,
  ]);
  t.same(
    host('{match: {prefix: /}, route: {weighted_clusters: {clusters: [{name: c, weight: 1}, {name: cc, weight: 1}]}}}'),
    [`${prefix}.routes[0].route.weighted_clusters.clusters[1].name: there is no cluster "cc"; did you mean "c"?`],
  );
});

t.test('unless the route configuration says not to look', async (t) => {
  t.same(host('{match: {prefix: /}, route: {cluster: nowhere}}', 'validate_clusters: false, '), []);
});

t.test('a cluster for calls to a control plane is not for requests, nor for TCP', async (t) => {
  const problems = new Problems();
  const typeName = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  const tcp = (message: object) => ({ filters: [{ typedConfig: { typeUrl: `a/${typeName}`, typeName, message } }] });
  const filterChains = [
    tcp({ cluster: 'calls' }),
    tcp({ weightedClusters: { clusters: [{ name: 'c' }, { name: 'calls' }] } }),
    tcp({ cluster: 'nowhere' }),
  ];
  const clusters = [{ name: 'c' }, { name: 'calls' }];
  checkClusterReferences({ clusters, listeners: [{ filterChains }] }, new Map([['calls', {}]]), problems);
  const message = 'cluster "calls" is for gRPC calls of our own; requests cannot be sent to it';
  const filter = (chain: number) => `listeners[0].filter_chains[${chain}].filters[0].typed_config`;
  t.same(problems.list, [
    { path: `${filter(0)}.cluster`, message },
    { path: `${filter(1)}.weighted_clusters.clusters[1].name`, message },
  ]);
});

t.test('the default filter chain is looked at too', async (t) => {
  const problems = new Problems();
  const typeName = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const message = { routeConfig: { virtualHosts: [{ routes: [{ route: { cluster: 'x' } }] }] } };
  const defaultFilterChain = { filters: [{ typedConfig: { typeUrl: `a/${typeName}`, typeName, message } }] };
  checkClusterReferences({ listeners: [{ defaultFilterChain }] }, new Map(), problems);
  t.matchOnly(problems.list, [
    { path: /^listeners\[0\]\.default_filter_chain\.filters\[0\]/, message: /no cluster "x"/ },
  ]);
});
