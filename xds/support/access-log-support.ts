// Fields of access logs and their filters.

import type { SupportTable } from './support-table.ts';

const AL = 'envoy.config.accesslog.v3';
const GRPC = 'envoy.extensions.access_loggers.grpc.v3';
const OTLP = 'opentelemetry.proto.common.v1';
const noFilterState = 'no filter that is supported keeps state, so that there is nothing to log';

export const accessLogSupport: SupportTable = {
  [`${AL}.AccessLog`]: { supported: ['name', 'filter', 'typed_config'] },
  [`${AL}.AccessLogFilter`]: {
    supported: [
      'status_code_filter',
      'duration_filter',
      'not_health_check_filter',
      'traceable_filter',
      'runtime_filter',
      'and_filter',
      'or_filter',
      'header_filter',
      'response_flag_filter',
      'grpc_status_filter',
    ],
    unsupported: {
      extension_filter: 'extension filters are not offered',
      metadata_filter: 'dynamic metadata does not exist yet',
      log_type_filter: 'a request is logged once, at its end',
    },
  },
  [`${AL}.StatusCodeFilter`]: { supported: ['comparison'] },
  [`${AL}.DurationFilter`]: { supported: ['comparison'] },
  [`${AL}.ComparisonFilter`]: { supported: ['op', 'value'] },
  [`${AL}.NotHealthCheckFilter`]: { supported: [] },
  [`${AL}.TraceableFilter`]: { supported: [] },
  [`${AL}.RuntimeFilter`]: {
    supported: ['runtime_key', 'percent_sampled'],
    unsupported: { use_independent_randomness: 'leave it out' },
  },
  [`${AL}.AndFilter`]: { supported: ['filters'] },
  [`${AL}.OrFilter`]: { supported: ['filters'] },
  [`${AL}.HeaderFilter`]: { supported: ['header'] },
  [`${AL}.ResponseFlagFilter`]: { supported: ['flags'] },
  [`${AL}.GrpcStatusFilter`]: { supported: ['statuses', 'exclude'] },
  'envoy.extensions.access_loggers.file.v3.FileAccessLog': {
    supported: ['path', 'format', 'json_format', 'typed_json_format', 'log_format'],
  },
  'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog': { supported: ['log_format'] },
  'envoy.extensions.access_loggers.stream.v3.StderrAccessLog': { supported: ['log_format'] },
  [`${GRPC}.HttpGrpcAccessLogConfig`]: {
    supported: [
      'common_config',
      'additional_request_headers_to_log',
      'additional_response_headers_to_log',
      'additional_response_trailers_to_log',
    ],
  },
  [`${GRPC}.TcpGrpcAccessLogConfig`]: { supported: ['common_config'] },
  [`${GRPC}.CommonGrpcAccessLogConfig`]: {
    supported: [
      'log_name',
      'grpc_service',
      'transport_api_version',
      'buffer_flush_interval',
      'buffer_size_bytes',
      'custom_tags',
    ],
    ignored: {
      filter_state_objects_to_log: noFilterState,
      grpc_stream_retry_policy: 'a stream is opened again with a back-off for as long as it takes',
    },
  },
  'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig': {
    supported: [
      'common_config',
      'grpc_service',
      'http_service',
      'log_name',
      'buffer_flush_interval',
      'buffer_size_bytes',
      'custom_tags',
      'disable_builtin_labels',
      'resource_attributes',
      'resource_detectors',
      'body',
      'attributes',
      'stat_prefix',
      'formatters',
    ],
    ignored: { filter_state_objects_to_log: noFilterState },
  },
  [`${OTLP}.AnyValue`]: {
    supported: ['string_value', 'array_value', 'kvlist_value'],
    unsupported: {
      bool_value: 'write string_value',
      int_value: 'write string_value',
      double_value: 'write string_value',
      bytes_value: 'write string_value',
    },
  },
  [`${OTLP}.ArrayValue`]: { supported: ['values'] },
  [`${OTLP}.KeyValueList`]: { supported: ['values'] },
  [`${OTLP}.KeyValue`]: { supported: ['key', 'value'] },
};
