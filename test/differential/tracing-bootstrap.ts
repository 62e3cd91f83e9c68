// What both proxies trace with: a listener for each way of tracing that is compared. Every one of them tags spans with the
// number of the case that they are of.

import { bootstrap, cluster, httpManager, type Json, listener, routesOf } from './bootstrap.ts';

export interface TracingPorts {
  readonly origin: number;
  readonly otlpHttp: number;
  readonly otlpGrpc: number;
  readonly zipkin: number;
}

export function tracingBootstrap(ports: TracingPorts): Json {
  const clusters = [
    cluster('app', [ports.origin], { metadata: metadata('cluster'), alt_stat_name: 'app_stats' }),
    cluster('empty', []),
    cluster('otlp-http', [ports.otlpHttp]),
    cluster('otlp-grpc', [ports.otlpGrpc], http2),
    cluster('zipkin', [ports.zipkin]),
  ];
  return bootstrap(
    ways.map((way) => tracedListener(way)),
    clusters,
    {
      node: { id: 'node-1', cluster: 'service-1', locality: { zone: 'zone-1' } },
      layered_runtime: { layers: [{ name: 'static', static_layer: flushAtOnce }] },
    },
  );
}

/** A listener and what is told of it. */
interface Way {
  readonly name: string;
  readonly provider: Json;
  readonly direction?: 'INBOUND' | 'OUTBOUND';
  readonly tracing?: Json;
  readonly manager?: Json;
}

const TYPES = 'type.googleapis.com/envoy';

const http2: Json = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': `${TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions`,
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** Envoy keeps spans until there are five. */
const flushAtOnce: Json = { 'tracing.opentelemetry.min_flush_spans': 1, 'tracing.zipkin.min_flush_spans': 1 };

function openTelemetry(more: Json): Json {
  const typed_config = { '@type': `${TYPES}.config.trace.v3.OpenTelemetryConfig`, service_name: 'service-1', ...more };
  return { name: 'envoy.tracers.opentelemetry', typed_config };
}

const overGrpc = openTelemetry({ grpc_service: { envoy_grpc: { cluster_name: 'otlp-grpc' }, timeout: '1s' } });
const overHttp = openTelemetry({
  http_service: { http_uri: { uri: 'http://collector/v1/traces', cluster: 'otlp-http', timeout: '1s' } },
});

function zipkin(more: Json): Json {
  const typed_config = {
    '@type': `${TYPES}.config.trace.v3.ZipkinConfig`,
    collector_cluster: 'zipkin',
    collector_endpoint: '/api/v2/spans',
    collector_endpoint_version: 'HTTP_JSON',
    ...more,
  };
  return { name: 'envoy.tracers.zipkin', typed_config };
}

const zipkin128 = zipkin({ trace_id_128bit: true });

const ways: readonly Way[] = [
  { name: 'otlp', provider: overGrpc },
  { name: 'otlp-attempts', provider: overHttp, tracing: { spawn_upstream_span: true } },
  { name: 'otlp-inbound', provider: overGrpc, direction: 'INBOUND', tracing: { verbose: true } },
  { name: 'otlp-outbound', provider: overHttp, direction: 'OUTBOUND', tracing: { max_path_tag_length: 8 } },
  {
    name: 'otlp-outbound-attempts',
    provider: overGrpc,
    direction: 'OUTBOUND',
    tracing: { spawn_upstream_span: true, operation: 'op %REQ(x-op)%', upstream_operation: 'up %REQ(x-op)%' },
  },
  { name: 'otlp-none', provider: overGrpc, tracing: { random_sampling: { value: 0 } } },
  {
    name: 'otlp-no-client',
    provider: overGrpc,
    tracing: { client_sampling: { value: 0 }, random_sampling: { value: 0 } },
  },
  { name: 'otlp-nothing', provider: overGrpc, tracing: { overall_sampling: { value: 0 } } },
  { name: 'otlp-always', provider: alwaysOn(), tracing: { random_sampling: { value: 0 } } },
  { name: 'otlp-edge', provider: overGrpc, tracing: { random_sampling: { value: 0 } }, manager: edge(false) },
  { name: 'otlp-edge-kept-ids', provider: overGrpc, tracing: { random_sampling: { value: 0 } }, manager: edge(true) },
  { name: 'otlp-no-marks', provider: overGrpc, manager: requestIds({ pack_trace_reason: false }) },
  {
    name: 'otlp-no-ids',
    provider: overGrpc,
    tracing: { random_sampling: { value: 0 } },
    manager: requestIds({ use_request_id_for_trace_sampling: false }),
  },
  { name: 'otlp-silent', provider: overGrpc, tracing: { no_context_propagation: true } },
  { name: 'zipkin', provider: zipkin128 },
  { name: 'zipkin-64', provider: zipkin({ shared_span_context: false }) },
  {
    name: 'zipkin-w3c',
    provider: zipkin({ trace_id_128bit: true, trace_context_option: 'USE_B3_WITH_W3C_PROPAGATION' }),
  },
  { name: 'zipkin-none', provider: zipkin128, tracing: { random_sampling: { value: 0 } } },
  { name: 'zipkin-attempts', provider: zipkin128, tracing: { spawn_upstream_span: true } },
  { name: 'zipkin-outbound', provider: zipkin128, direction: 'OUTBOUND', tracing: { verbose: true } },
  { name: 'zipkin-inbound', provider: zipkin128, direction: 'INBOUND' },
];

function alwaysOn(): Json {
  const { typed_config } = overGrpc as { readonly typed_config: Json };
  const type = `${TYPES}.extensions.tracers.opentelemetry.samplers.v3.AlwaysOnSamplerConfig`;
  return {
    name: 'envoy.tracers.opentelemetry',
    typed_config: { ...typed_config, sampler: { name: 'always_on', typed_config: { '@type': type } } },
  };
}

function edge(keepsIds: boolean): Json {
  return { use_remote_address: true, preserve_external_request_id: keepsIds };
}

function requestIds(options: Json): Json {
  const typed_config = { '@type': `${TYPES}.extensions.request_id.uuid.v3.UuidRequestIdConfig`, ...options };
  return { request_id_extension: { typed_config } };
}

function tracedListener({ name, provider, direction, tracing, manager }: Way): Json {
  const filter = httpManager(name, routes, {
    tracing: { provider, custom_tags: [{ tag: 'case', request_header: { name: 'x-case' } }], ...tracing },
    ...manager,
  });
  return listener(name, filter, direction === undefined ? {} : { traffic_direction: direction });
}

const namespace = 'example';

function metadata(value: string): Json {
  return { filter_metadata: { [namespace]: { name: value, nested: { number: 1.5, flag: true, list: [1, 'a'] } } } };
}

function fromMetadata(tag: string, kind: string, ...path: readonly string[]): Json {
  const metadata_key = { key: namespace, path: path.map((key) => ({ key })) };
  return { tag, metadata: { kind: { [kind]: {} }, metadata_key, default_value: 'none' } };
}

const tags: readonly Json[] = [
  { tag: 'literal', literal: { value: 'text' } },
  { tag: 'environment', environment: { name: 'PATH' } },
  { tag: 'environment-default', environment: { name: 'OUTRIGGER_NOT_SET', default_value: 'none' } },
  { tag: 'environment-absent', environment: { name: 'OUTRIGGER_NOT_SET' } },
  { tag: 'header', request_header: { name: 'X-Tag' } },
  { tag: 'header-default', request_header: { name: 'x-absent', default_value: 'none' } },
  { tag: 'header-absent', request_header: { name: 'x-absent' } },
  { tag: 'value', value: '%REQ(x-tag)% of %PROTOCOL%' },
  { tag: 'value-absent', value: '%REQ(x-absent)%' },
  fromMetadata('of-route', 'route', 'name'),
  fromMetadata('of-route-nested', 'route', 'nested'),
  fromMetadata('of-route-number', 'route', 'nested', 'number'),
  fromMetadata('of-route-flag', 'route', 'nested', 'flag'),
  fromMetadata('of-route-list', 'route', 'nested', 'list'),
  fromMetadata('of-route-absent', 'route', 'absent'),
  fromMetadata('of-cluster', 'cluster', 'name'),
  fromMetadata('of-endpoint', 'host', 'name'),
  fromMetadata('of-request', 'request', 'name'),
  { tag: 'component', literal: { value: 'in the place of a standard one' } },
];

const app = { cluster: 'app' };
const retried = {
  ...app,
  retry_policy: { retry_on: '5xx,reset', num_retries: 2, retry_back_off: { base_interval: '0.001s' } },
};

const routes: Json = routesOf([
  { name: 'direct', match: { prefix: '/direct' }, direct_response: { status: 200, body: { inline_string: 'hello' } } },
  { name: 'failed', match: { prefix: '/failed' }, direct_response: { status: 503 } },
  { name: 'redirect', match: { prefix: '/redirect' }, redirect: { path_redirect: '/other' } },
  { name: 'empty', match: { prefix: '/empty' }, route: { cluster: 'empty' } },
  { name: 'retried', match: { prefix: '/retried' }, route: retried },
  { name: 'slow', match: { prefix: '/slow' }, route: { ...app, timeout: '0.03s' } },
  { name: 'decorated', match: { prefix: '/decorated' }, route: app, decorator: { operation: 'checkout' } },
  {
    name: 'decorated-quietly',
    match: { prefix: '/quietly' },
    route: app,
    decorator: { operation: 'checkout', propagate: false },
  },
  { name: 'never', match: { prefix: '/never' }, route: app, tracing: { random_sampling: { numerator: 0 } } },
  { name: 'silenced', match: { prefix: '/silenced' }, route: app, tracing: { overall_sampling: { numerator: 0 } } },
  { name: 'always', match: { prefix: '/always' }, route: app, tracing: { random_sampling: { numerator: 100 } } },
  {
    name: 'tagged',
    match: { prefix: '/tagged' },
    route: app,
    metadata: metadata('route'),
    tracing: { custom_tags: tags },
  },
  {
    name: 'operation',
    match: { prefix: '/operation' },
    route: app,
    decorator: { operation: 'checkout' },
    tracing: { operation: 'route %REQ(x-op)%', upstream_operation: 'route up %REQ(x-op)%' },
  },
  { name: 'rest', match: { prefix: '/app' }, route: app },
]);
