import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { checkSourceReferences } from '../../../xds/decode/source-references.ts';
import type { Bootstrap_StaticResources } from '../../../xds/generated/messages.ts';

const manager = (configSource: object) => {
  const typeName = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const message = { rds: { routeConfigName: 'r', configSource } };
  return { filters: [{ typedConfig: { typeUrl: `a/${typeName}`, typeName, message } }] };
};
const own = (clusterName: string) => ({
  apiConfigSource: { apiType: 'GRPC' as const, grpcServices: [{ envoyGrpc: { clusterName } }] },
});
const check = (message: Bootstrap_StaticResources, hasAds: boolean) => {
  const problems = new Problems();
  checkSourceReferences(message, { hasAds, grpcClusters: new Map([['control', {}]]) }, problems);
  return problems.list.map(({ path, message: text }) => `${path}: ${text}`);
};
const resources = (source: object): Bootstrap_StaticResources => ({
  clusters: [{ name: 'static' }, { name: 'c', edsClusterConfig: { edsConfig: source } }],
  listeners: [{ filterChains: [{}, manager(source)], defaultFilterChain: manager(source) }],
});

t.test('sources that are there may be named', async (t) => {
  t.same(check(resources({ ads: {} }), true), []);
  t.same(check(resources(own('control')), false), []);
  t.same(check(resources({ path: '/a' }), false), []);
  t.same(check({}, false), []);
});

t.test('one that is not there is named at its place', async (t) => {
  const places = [
    'clusters[1].eds_cluster_config.eds_config',
    'listeners[0].filter_chains[1].filters[0].typed_config.rds.config_source',
    'listeners[0].default_filter_chain.filters[0].typed_config.rds.config_source',
  ];
  t.same(
    check(resources({ ads: {} }), false),
    places.map((place) => `${place}: there is no ads_config in the bootstrap that ads could mean`),
  );
  t.same(
    check(resources(own('other')), true),
    places.map((place) => `${place}: there is no static cluster "other" for gRPC`),
  );
});
