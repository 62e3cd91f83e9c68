import t from 'tap';
import { decodeTraceProvider } from '../../../xds/decode/trace-provider.ts';
import type { Tracing_Http } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';

const provider = (type: string, fields: string) =>
  decodedAs(
    'envoy.config.trace.v3.Tracing.Http',
    `{name: p, typed_config: {"@type": a/envoy.config.trace.v3.${type}${fields === '' ? '' : `, ${fields}`}}}`,
    (message: Tracing_Http, problems) => decodeTraceProvider(message, problems),
  );
const grpc = 'grpc_service: {envoy_grpc: {cluster_name: c}}';
const openTelemetry = (fields: string) => provider('OpenTelemetryConfig', fields);
const zipkin = (fields: string) => provider('ZipkinConfig', fields);

t.test('OpenTelemetry has the defaults of Envoy', async (t) => {
  t.same(openTelemetry(grpc), {
    value: {
      kind: 'opentelemetry',
      name: 'p',
      service: { kind: 'grpc', cluster: 'c', authority: '', timeoutMs: 0, metadata: [] },
      serviceName: '',
      resource: { fromEnvironment: false, attributes: [] },
      maxQueuedSpans: 1024,
    },
    problems: [],
  });
  t.match(openTelemetry(`${grpc}, service_name: shop, max_cache_size: 5`).value, {
    serviceName: 'shop',
    maxQueuedSpans: 5,
  });
});

const sampler = (name: string, fields = '') =>
  `{name: s, typed_config: {"@type": a/envoy.extensions.tracers.opentelemetry.samplers.v3.${name}${fields}}}`;
const alwaysOn = sampler('AlwaysOnSamplerConfig');
const ratio = (fields: string) => sampler('TraceIdRatioBasedSamplerConfig', `, sampling_percentage: {${fields}}`);
const parentBased = (wrapped: string) => sampler('ParentBasedSamplerConfig', `, wrapped_sampler: ${wrapped}`);

t.test('a sampler says how much is kept, and whether the caller comes first', async (t) => {
  const sampled = (yaml: string) => {
    const { value, problems } = openTelemetry(`${grpc}, sampler: ${yaml}`);
    t.same(problems, []);
    return value?.kind === 'opentelemetry' ? value.sampler : undefined;
  };
  t.same(sampled(alwaysOn), { followsParent: false, probability: 1 });
  t.same(sampled(ratio('numerator: 25')), { followsParent: false, probability: 0.25 });
  t.same(sampled(ratio('numerator: 25, denominator: MILLION')), { followsParent: false, probability: 25e-6 });
  t.same(sampled(ratio('numerator: 200')), { followsParent: false, probability: 1 });
  t.same(sampled(parentBased(ratio('numerator: 1'))), { followsParent: true, probability: 0.01 });
  t.same(sampled(parentBased(parentBased(alwaysOn))), { followsParent: true, probability: 1 });
});

t.test('a sampler that is not known, or decides by nothing, is refused', async (t) => {
  const problems = (yaml: string) => openTelemetry(`${grpc}, sampler: ${yaml}`).problems;
  t.matchOnly(problems(sampler('CELSamplerConfig')), [
    /^typed_config\.sampler\.typed_config: sampler .*CELSamplerConfig is not supported; supported are .*AlwaysOn/,
  ]);
  t.same(problems(sampler('ParentBasedSamplerConfig')), [
    'typed_config.sampler.typed_config.wrapped_sampler: wrapped_sampler is required: it decides first',
  ]);
});

t.test('Zipkin is named in older fields or as an HTTP service, which wins', async (t) => {
  const older =
    'collector_cluster: "outbound|9411||z", collector_endpoint: /api/v2/spans, collector_endpoint_version: HTTP_JSON';
  t.same(zipkin(older), {
    value: {
      kind: 'zipkin',
      name: 'p',
      service: {
        kind: 'http',
        cluster: 'outbound|9411||z',
        uri: 'http://outbound|9411||z/api/v2/spans',
        timeoutMs: 5000,
        headers: [],
      },
      encoding: 'json',
      traceId128Bit: false,
      sharedSpanContext: true,
      alsoW3c: false,
    },
    problems: [],
  });
  t.match(zipkin(`${older}, collector_hostname: "z.example:9411"`).value?.service, {
    uri: 'http://z.example:9411/api/v2/spans',
  });
  const service = 'collector_service: {http_uri: {uri: z.example/api, cluster: c, timeout: 1s}}';
  const options =
    'trace_id_128bit: true, shared_span_context: false, trace_context_option: USE_B3_WITH_W3C_PROPAGATION';
  t.match(zipkin(`${older.replace('HTTP_JSON', 'HTTP_PROTO')}, ${service}, ${options}`), {
    value: {
      service: { cluster: 'c', uri: 'http://z.example/api', timeoutMs: 1000 },
      encoding: 'protobuf',
      traceId128Bit: true,
      sharedSpanContext: false,
      alsoW3c: true,
    },
    problems: noItems,
  });
});

t.test('a collector of Zipkin and its version are required', async (t) => {
  t.same(zipkin('collector_cluster: c, collector_endpoint_version: HTTP_JSON').problems, [
    'typed_config: collector_service is required, or collector_cluster and collector_endpoint',
  ]);
  for (const version of ['', ', collector_endpoint_version: GRPC']) {
    t.same(zipkin(`collector_cluster: c, collector_endpoint: /a${version}`).problems, [
      'typed_config.collector_endpoint_version: write HTTP_JSON or HTTP_PROTO: version 1 and gRPC are not offered',
    ]);
  }
});

t.test('another provider is refused with the way out', async (t) => {
  for (const type of ['DatadogConfig', 'SkyWalkingConfig', 'XRayConfig']) {
    t.same(provider(type, '').problems, [
      `typed_config: trace provider a/envoy.config.trace.v3.${type} is not supported; write envoy.config.trace.v3.OpenTelemetryConfig, and let an OpenTelemetry Collector pass spans on`,
    ]);
  }
});
