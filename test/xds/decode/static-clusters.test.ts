import t from 'tap';
import { decodeStaticClusters } from '../../../xds/decode/static-clusters.ts';
import type { Bootstrap } from '../../../xds/generated/messages.ts';
import { bootstrapOf, decodedAs } from '../../support/config-fixtures.ts';
import { directIstiodBootstrap, pilotAgentBootstrap } from '../../support/istio-bootstraps.ts';

const address = '{socket_address: {address: 127.0.0.1, port_value: 1}}';
const assignment = `load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: ${address}}}]}]}`;
const cluster = (name: string, more = '') => `{name: ${name}, ${assignment}${more}}`;
const service = (name: string) => `api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: ${name}}}]`;
const statics = (clusters: readonly string[], more = '') => {
  const yaml = `{static_resources: {clusters: [${clusters.join(', ')}]}${more}}`;
  const { value, problems } = decodedAs('envoy.config.bootstrap.v3.Bootstrap', yaml, (message: Bootstrap, problems) =>
    decodeStaticClusters(message, problems),
  );
  return { requests: value.clusters.map(({ name }) => name), calls: [...value.grpcClusters.keys()], problems };
};

t.test('a cluster that a gRPC service of the bootstrap names is for calls', async (t) => {
  const clusters = ['a', 'b', 'c', 'd', 'e'].map((name) => cluster(name));
  const eds = `{name: m, type: EDS, eds_cluster_config: {eds_config: {api_config_source: {${service('d')}}}}}`;
  const more = `, dynamic_resources: {ads_config: {${service('a')}}, cds_config: {api_config_source: {${service('b')}}}}, layered_runtime: {layers: [{name: r, rtds_layer: {name: r, rtds_config: {api_config_source: {${service('c')}}}}}]}`;
  t.same(statics([...clusters, eds], more), { requests: ['e', 'm'], calls: ['a', 'b', 'c', 'd'], problems: [] });
});

t.test('where there is a control plane, so is a cluster with HTTP/2', async (t) => {
  const clusters = [cluster('a'), cluster('b', ', http2_protocol_options: {}')];
  t.same(statics(clusters, ', dynamic_resources: {}'), { requests: ['a'], calls: ['b'], problems: [] });
  t.same(statics(clusters).problems, [
    'static_resources.clusters[1].http2_protocol_options: http2_protocol_options is not supported; HTTP/2 to endpoints is not offered yet',
  ]);
});

t.test('names are unique among both', async (t) => {
  t.same(statics([cluster('a'), cluster('a')], `, dynamic_resources: {ads_config: {${service('a')}}}`).problems, [
    'static_resources.clusters[1].name: cluster "a" exists already: static_resources.clusters[0]',
  ]);
});

t.test("the source address of all clusters is one of requests'", async (t) => {
  const bind = ', cluster_manager: {upstream_bind_config: {source_address: {address: 127.0.0.2, port_value: 0}}}';
  const { problems } = statics([cluster('a')], bind);
  t.same(problems, []);
});

t.test("pilot-agent's bootstrap is read as it is", async (t) => {
  const { bootstrap, warnings } = bootstrapOf(pilotAgentBootstrap('/etc/istio/proxy'));
  t.same(warnings, []);
  t.same(
    bootstrap.clusters.map(({ name }) => name),
    ['prometheus_stats', 'agent'],
  );
  t.same(
    [...bootstrap.grpcClusters.values()],
    [
      { name: 'sds-grpc', endpoints: [{ kind: 'pipe', path: '/etc/istio/proxy/socket' }], connectTimeoutMs: 1000 },
      { name: 'xds-grpc', endpoints: [{ kind: 'pipe', path: '/etc/istio/proxy/XDS' }], connectTimeoutMs: 1000 },
    ],
  );
  t.same(bootstrap.dynamicResources, {
    ads: {
      protocol: 'delta',
      service: { target: { kind: 'cluster', cluster: 'xds-grpc' }, initialMetadata: [] },
      setNodeOnFirstMessageOnly: true,
    },
    clusters: { kind: 'ads', initialFetchTimeoutMs: 0 },
    listeners: { kind: 'ads', initialFetchTimeoutMs: 0 },
  });
});

t.test('a bootstrap that goes to istiod directly is read', async (t) => {
  const { bootstrap } = bootstrapOf(directIstiodBootstrap);
  t.same(bootstrap.dynamicResources.ads?.service, {
    target: {
      kind: 'uri',
      uri: 'istiod.istio-system.svc:15012',
      credentials: {
        tls: { roots: { kind: 'file', path: '/var/run/secrets/istio/root-cert.pem' }, subjectAltNames: [] },
        accessToken: { kind: 'file', path: '/var/run/secrets/tokens/istio-token' },
      },
    },
    initialMetadata: [{ key: 'clusterid', value: 'Kubernetes' }],
  });
});
