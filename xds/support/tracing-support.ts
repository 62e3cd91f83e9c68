// Fields of tracing: providers, samplers, tags, and the services that any telemetry is sent to.

import type { SupportTable } from './support-table.ts';

const C = 'envoy.config.core.v3';
const T = 'envoy.config.trace.v3';
const OTEL = 'envoy.extensions.tracers.opentelemetry';
const K = 'envoy.type.metadata.v3';
const always = 'it is always set';

export const tracingSupport: SupportTable = {
  [`${T}.Tracing`]: { supported: ['http'] },
  [`${T}.Tracing.Http`]: { supported: ['name', 'typed_config'] },
  [`${T}.OpenTelemetryConfig`]: {
    supported: ['grpc_service', 'http_service', 'service_name', 'resource_detectors', 'sampler', 'max_cache_size'],
    unsupported: {
      exporter: 'write grpc_service or http_service',
      set_telemetry_sdk_resource_attributes: { unless: [true], why: always },
      set_service_name_resource_attribute: { unless: [true], why: always },
      set_instrumentation_scope: { unless: [true], why: always },
    },
  },
  [`${OTEL}.resource_detectors.v3.EnvironmentResourceDetectorConfig`]: { supported: [] },
  [`${OTEL}.resource_detectors.v3.StaticConfigResourceDetectorConfig`]: { supported: ['attributes'] },
  [`${OTEL}.samplers.v3.AlwaysOnSamplerConfig`]: { supported: [] },
  [`${OTEL}.samplers.v3.ParentBasedSamplerConfig`]: { supported: ['wrapped_sampler'] },
  [`${OTEL}.samplers.v3.TraceIdRatioBasedSamplerConfig`]: { supported: ['sampling_percentage'] },
  [`${T}.ZipkinConfig`]: {
    supported: [
      'collector_cluster',
      'collector_endpoint',
      'collector_hostname',
      'collector_service',
      'collector_endpoint_version',
      'trace_id_128bit',
      'shared_span_context',
      'trace_context_option',
    ],
    unsupported: {
      split_spans_for_request: { unless: [false], why: 'write spawn_upstream_span of the connection manager' },
      timestamp_trace_ids: { unless: [false], why: 'ids are random, so that sampling by them is fair' },
    },
  },
  'envoy.type.tracing.v3.CustomTag': {
    supported: ['tag', 'literal', 'environment', 'request_header', 'metadata', 'value'],
    unsupported: { value_type: { unless: ['UNSPECIFIED', 'STRING'], why: 'values of tags are text' } },
  },
  'envoy.type.tracing.v3.CustomTag.Literal': { supported: ['value'] },
  'envoy.type.tracing.v3.CustomTag.Environment': { supported: ['name', 'default_value'] },
  'envoy.type.tracing.v3.CustomTag.Header': { supported: ['name', 'default_value'] },
  'envoy.type.tracing.v3.CustomTag.Metadata': { supported: ['kind', 'metadata_key', 'default_value'] },
  [`${K}.MetadataKey`]: { supported: ['key', 'path'] },
  [`${K}.MetadataKey.PathSegment`]: { supported: ['key'] },
  [`${K}.MetadataKind`]: { supported: ['request', 'route', 'cluster', 'host'] },
  [`${K}.MetadataKind.Request`]: { supported: [] },
  [`${K}.MetadataKind.Route`]: { supported: [] },
  [`${K}.MetadataKind.Cluster`]: { supported: [] },
  [`${K}.MetadataKind.Host`]: { supported: [] },
  [`${C}.HttpService`]: {
    supported: ['http_uri', 'request_headers_to_add'],
    unsupported: { formatters: 'extension formatters are not offered' },
  },
  [`${C}.HttpUri`]: { supported: ['uri', 'cluster', 'timeout'] },
};
