import t from 'tap';
import * as at from '../../differential-config/config-place.ts';
import { bootstrapOf, bootstrapProblems } from '../../support/config-fixtures.ts';

const manager = 'static_resources.listeners[0].filter_chains[0].filters[0].typed_config';
const grpc = (cluster: string) => `grpc_service: {envoy_grpc: {cluster_name: ${cluster}}}`;
const http = (cluster: string) => `http_service: {http_uri: {uri: /x, cluster: ${cluster}, timeout: 1s}}`;
const entries = (name: string, cluster: string) =>
  `{name: a, typed_config: {"@type": a/envoy.extensions.access_loggers.grpc.v3.${name}GrpcAccessLogConfig, common_config: {log_name: n, ${grpc(cluster)}}}}`;

t.test('a collector that is not there is named at its place, wherever that is', async (t) => {
  const missing = 'there is no cluster "gg"; did you mean "g"?';
  const places: readonly (readonly [text: string, path: string])[] = [
    [
      at.openTelemetryTracer(grpc('gg')),
      `${manager}.tracing.provider.typed_config.grpc_service.envoy_grpc.cluster_name`,
    ],
    [at.openTelemetryTracer(http('gg')), `${manager}.tracing.provider.typed_config.http_service.http_uri.cluster`],
    [
      at.zipkinTracer('collector_cluster: gg, collector_endpoint: /x'),
      `${manager}.tracing.provider.typed_config.collector_cluster`,
    ],
    [
      at.zipkinTracer('collector_service: {http_uri: {uri: /x, cluster: gg, timeout: 1s}}'),
      `${manager}.tracing.provider.typed_config.collector_service.http_uri.cluster`,
    ],
    [
      at.grpcLog(grpc('gg')),
      `${manager}.access_log[0].typed_config.common_config.grpc_service.envoy_grpc.cluster_name`,
    ],
    [at.recordLog(http('gg')), `${manager}.access_log[0].typed_config.http_service.http_uri.cluster`],
    [
      at.collectedTcpLog(`open_telemetry.v3.OpenTelemetryAccessLogConfig, ${grpc('gg')}`),
      `${manager}.access_log[0].typed_config.grpc_service.envoy_grpc.cluster_name`,
    ],
    [at.statsSink(grpc('gg')), 'stats_sinks[0].typed_config.grpc_service.envoy_grpc.cluster_name'],
  ];
  for (const [text, path] of places) t.same(bootstrapProblems(text), [`${path}: ${missing}`]);
});

t.test('access logs of listeners and default filter chains are looked at too', async (t) => {
  const chains = `filter_chains: [${at.chain('')}], default_filter_chain: {filters: [{name: t, typed_config: {"@type": a/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c, access_log: [${entries('Tcp', 'chain')}]}}]}`;
  t.same(bootstrapProblems(at.listener(`${chains}, access_log: [${entries('Tcp', 'listener')}]`)), [
    'static_resources.listeners[0].default_filter_chain.filters[0].typed_config.access_log[0].typed_config.common_config.grpc_service.envoy_grpc.cluster_name: there is no cluster "chain"',
    'static_resources.listeners[0].access_log[0].typed_config.common_config.grpc_service.envoy_grpc.cluster_name: there is no cluster "listener"',
  ]);
});

t.test('a cluster that a gRPC service names is for calls, which speak HTTP/2; others stay for requests', async (t) => {
  const { bootstrap } = bootstrapOf(at.openTelemetryTracer(grpc('g')));
  t.same([...bootstrap.grpcClusters.keys()], ['g']);
  t.same(
    bootstrap.clusters.map(({ name }) => name),
    ['c', 'h'],
  );
  const both = at.openTelemetryTracer(grpc('g')).replace('tracing:', `access_log: [${log(http('g'))}], tracing:`);
  t.same(bootstrapProblems(both), [
    `${manager}.access_log[0].typed_config.http_service.http_uri.cluster: cluster "g" is for gRPC, and speaks HTTP/2; this service takes HTTP/1.1`,
  ]);
});

const log = (fields: string) =>
  `{name: a, typed_config: {"@type": a/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig, ${fields}}}`;

t.test('where clusters come from a control plane, a collector may be among them', async (t) => {
  const dynamic = 'node: {id: i, cluster: c}, dynamic_resources: {cds_config: {path: /cds.yaml}}, ';
  const text = (cluster: string) => at.openTelemetryTracer(http(cluster)).replace(/^\{/, `{${dynamic}`);
  t.same(bootstrapProblems(text('gg')), []);
});
