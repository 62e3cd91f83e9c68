// Tracing, and what is sent to collectors: spans, access logs, metrics.

import { type ConfigCase, oursRefuses, refuses, takes } from './config-case.ts';
import * as at from './config-place.ts';

const toG = 'grpc_service: {envoy_grpc: {cluster_name: g}}';
const toH = 'http_service: {http_uri: {uri: "http://h/v1/traces", cluster: h, timeout: 1s}}';
const older = 'collector_cluster: h, collector_endpoint: /api/v2/spans';
const metadataKey = 'metadata_key: {key: a, path: [{key: b}]}';
const detector = (name: string, fields = '') =>
  `resource_detectors: [{name: d, typed_config: {"@type": type.googleapis.com/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.${name}${fields}}}]`;

const tracingCases: readonly ConfigCase[] = [
  takes(at.tracing, ''),
  takes(at.tracing, 'client_sampling: {value: 50}, random_sampling: {value: 0.01}, overall_sampling: {}'),
  refuses(at.tracing, 'client_sampling: {value: 200}', 'tracing.client_sampling.value: must be at most 100, got 200'),
  refuses(at.tracing, 'random_sampling: {value: -1}', 'tracing.random_sampling.value: must be at least 0, got -1'),
  takes(at.tracing, 'verbose: true, max_path_tag_length: 0, spawn_upstream_span: true, no_context_propagation: true'),
  takes(at.tracing, 'operation: "%REQ(:path)%", upstream_operation: x'),
  refuses(at.tracing, 'operation: "%NOPE%"', 'tracing.operation: %NOPE% is not a supported command'),
  refuses(at.tracing, 'upstream_operation: "%NOPE%"', 'tracing.upstream_operation: %NOPE% is not a supported command'),
  takes(at.routeTracing, 'decorator: {operation: x, propagate: false}'),
  takes(at.routeTracing, 'decorator: {operation: "%NOPE%"}'),
  refuses(at.routeTracing, 'decorator: {}', 'decorator.operation: operation is required'),
  takes(at.routeTracing, 'tracing: {client_sampling: {numerator: 5, denominator: TEN_THOUSAND}}'),
  takes(at.routeTracing, 'tracing: {random_sampling: {numerator: 200}}'),
  refuses(at.routeTracing, 'tracing: {operation: "%NOPE%"}', 'tracing.operation: %NOPE% is not a supported command'),
  takes(at.customTag, 'literal: {value: x}'),
  refuses(at.customTag, 'literal: {}', 'custom_tags[0].literal.value: value is required'),
  takes(at.customTag, 'environment: {name: HOME, default_value: x}'),
  takes(at.customTag, 'request_header: {name: x, default_value: z}'),
  oursRefuses(at.customTag, 'request_header: {name: "x y"}', 'request_header.name: "x y" is not a header name'),
  takes(at.customTag, 'value: "%REQ(x)%"'),
  takes(at.customTag, 'value: ""'),
  takes(at.customTag, 'value: x, value_type: STRING'),
  oursRefuses(at.customTag, 'value: "1", value_type: INT', 'value_type: value_type: "INT" is not supported'),
  refuses(at.customTag, 'value: "%NOPE%"', 'custom_tags[0].value: %NOPE% is not a supported command'),
  refuses(at.customTag, '', 'custom_tags[0]: one of literal, environment, request_header, metadata, value is required'),
  takes(at.customTag, `metadata: {kind: {host: {}}, ${metadataKey}}`),
  takes(at.customTag, `metadata: {${metadataKey}}`),
  refuses(at.customTag, `metadata: {kind: {}, ${metadataKey}}`, 'one of request, route, cluster, host is required'),
  refuses(at.customTag, 'metadata: {metadata_key: {key: a}}', 'metadata_key.path: path is required'),
  oursRefuses(at.customTag, 'metadata: {kind: {request: {}}}', 'metadata_key: metadata_key is required'),
];

const providerCases: readonly ConfigCase[] = [
  refuses(
    at.tracing,
    'provider: {name: envoy.tracers.zipkin}',
    'typed_config: typed_config is required: it says which',
  ),
  oursRefuses(
    at.traceProvider,
    'DatadogConfig, collector_cluster: h, service_name: s',
    'DatadogConfig is not supported; write envoy.config.trace.v3.OpenTelemetryConfig',
  ),
  refuses(at.traceProvider, 'XRayConfig', 'XRayConfig is not supported'),
  takes(at.openTelemetryTracer, toG),
  takes(at.openTelemetryTracer, toH),
  refuses(at.openTelemetryTracer, '', 'exactly one of grpc_service and http_service is required'),
  refuses(at.openTelemetryTracer, `${toG}, ${toH}`, 'exactly one of grpc_service and http_service is required'),
  oursRefuses(
    at.openTelemetryTracer,
    'grpc_service: {envoy_grpc: {cluster_name: gg}}',
    'grpc_service.envoy_grpc.cluster_name: there is no cluster "gg"',
  ),
  oursRefuses(
    at.openTelemetryTracer,
    'grpc_service: {google_grpc: {target_uri: "127.0.0.1:1", stat_prefix: s}}',
    'google_grpc for telemetry is not supported; write envoy_grpc',
  ),
  refuses(
    at.openTelemetryTracer,
    'http_service: {http_uri: {uri: "http://h/v1/traces", cluster: h}}',
    'http_uri.timeout: timeout is required',
  ),
  takes(at.openTelemetryTracer, 'http_service: {http_uri: {uri: h/v1/traces, cluster: h, timeout: 1s}}'),
  takes(at.otlpHttpTracer, 'request_headers_to_add: [{header: {key: a, value: "%ENVIRONMENT(HOME)% %%"}}]'),
  oursRefuses(
    at.otlpHttpTracer,
    'request_headers_to_add: [{header: {key: a, value: "%REQ(x)%"}}]',
    'header.value: %REQ% is not supported; only %ENVIRONMENT(NAME)% is',
  ),
  refuses(at.otlpHttpTracer, 'request_headers_to_add: [{header: {key: a, value: "50% of"}}]', 'header.value: '),
  takes(at.openTelemetryTracer, `${toG}, service_name: s, max_cache_size: 0`),
  takes(at.openTelemetryTracer, `${toG}, set_instrumentation_scope: true`),
  oursRefuses(at.openTelemetryTracer, `${toG}, set_instrumentation_scope: false`, 'is not supported; it is always set'),
  takes(at.openTelemetryTracer, `${toG}, ${detector('EnvironmentResourceDetectorConfig')}`),
  takes(at.openTelemetryTracer, `${toG}, ${detector('StaticConfigResourceDetectorConfig', ', attributes: {a: b}')}`),
  oursRefuses(
    at.openTelemetryTracer,
    `${toG}, ${detector('DynatraceResourceDetectorConfig')}`,
    'DynatraceResourceDetectorConfig is not supported',
  ),
  takes(at.traceSampler, 'AlwaysOnSamplerConfig'),
  takes(at.traceSampler, 'TraceIdRatioBasedSamplerConfig, sampling_percentage: {numerator: 10}'),
  refuses(at.traceSampler, 'ParentBasedSamplerConfig', 'wrapped_sampler is required'),
  refuses(at.traceSampler, 'NopeSamplerConfig', 'NopeSamplerConfig is not supported'),
  takes(at.zipkinTracer, older),
  takes(at.zipkinTracer, `${older}, trace_context_option: USE_B3_WITH_W3C_PROPAGATION, trace_id_128bit: true`),
  takes(at.zipkinTracer, 'collector_service: {http_uri: {uri: /api, cluster: h, timeout: 1s}}'),
  refuses(at.zipkinTracer, 'collector_cluster: h', 'collector_service is required, or collector_cluster and'),
  refuses(
    at.zipkinTracer,
    'collector_cluster: hh, collector_endpoint: /x',
    'collector_cluster: there is no cluster "hh"',
  ),
  refuses(at.zipkinTracer, 'collector_service: {}', 'collector_service.http_uri: http_uri is required'),
  refuses(at.traceProvider, `ZipkinConfig, ${older}`, 'collector_endpoint_version: write HTTP_JSON or HTTP_PROTO'),
  oursRefuses(at.zipkinTracer, `${older}, split_spans_for_request: true`, 'write spawn_upstream_span'),
  oursRefuses(at.zipkinTracer, `${older}, timestamp_trace_ids: true`, 'ids are random'),
];

const version = 'transport_api_version';

const logCases: readonly ConfigCase[] = [
  takes(at.grpcLog, toG),
  takes(at.grpcLog, `${toG}, ${version}: V3, buffer_size_bytes: 0, filter_state_objects_to_log: [x]`),
  refuses(at.grpcLog, `${toG}, ${version}: V2`, 'transport_api_version: V2 is not supported; write V3'),
  refuses(at.grpcLog, `${toG}, buffer_flush_interval: 0s`, 'buffer_flush_interval: must be more than 0s, got 0s'),
  refuses(at.grpcLog, '', 'common_config.grpc_service: grpc_service is required'),
  oursRefuses(
    at.grpcLog,
    'grpc_service: {envoy_grpc: {cluster_name: gg}}',
    'common_config.grpc_service.envoy_grpc.cluster_name: there is no cluster "gg"; did you mean "g"?',
  ),
  refuses(at.collectedLog, 'grpc.v3.HttpGrpcAccessLogConfig', 'common_config: common_config is required'),
  takes(at.collectedLog, `grpc.v3.TcpGrpcAccessLogConfig, common_config: {log_name: access, ${toG}}`),
  takes(at.collectedTcpLog, `grpc.v3.TcpGrpcAccessLogConfig, common_config: {log_name: access, ${toG}}`),
  takes(at.collectedTcpLog, `grpc.v3.HttpGrpcAccessLogConfig, common_config: {log_name: access, ${toG}}`),
  takes(at.collectedTcpLog, `open_telemetry.v3.OpenTelemetryAccessLogConfig, ${toG}`),
  takes(at.recordLog, `common_config: {log_name: access, ${toG}}`),
  takes(at.recordLog, `${toG}, log_name: access, stat_prefix: s, disable_builtin_labels: true`),
  takes(at.recordLog, toH),
  refuses(at.recordLog, '', 'exactly one of grpc_service, http_service and common_config.grpc_service is required'),
  refuses(at.recordLog, `${toG}, ${toH}`, 'exactly one of grpc_service, http_service and common_config.grpc_service'),
  takes(at.recordLog, `${toG}, body: {string_value: "%PROTOCOL%"}`),
  takes(at.recordLog, `${toG}, body: {}`),
  refuses(at.recordLog, `${toG}, body: {string_value: "%NOPE%"}`, 'body.string_value: %NOPE% is not a supported'),
  refuses(at.recordLog, `${toG}, body: {bool_value: true}`, 'body.bool_value: bool_value is not supported'),
  refuses(at.recordLog, `${toG}, attributes: {values: [{key: a}]}`, 'values[0].value: a value is required'),
  takes(at.recordLog, `${toG}, attributes: {values: [{key: a, value: {array_value: {}}}]}`),
  takes(at.recordLog, `${toG}, resource_attributes: {values: [{key: a, value: {string_value: "%NOPE%"}}]}`),
  oursRefuses(
    at.recordLog,
    `${toG}, resource_attributes: {values: [{key: a, value: {int_value: 1}}]}`,
    'value.int_value: int_value is not supported; write string_value',
  ),
];

const bootstrapCases: readonly ConfigCase[] = [
  takes(at.statsSink, toG),
  takes(at.statsSink, toH),
  takes(at.statsSink, `${toG}, report_counters_as_deltas: true, prefix: p, max_data_points_per_request: 5`),
  refuses(at.statsSink, '', 'stats_sinks[0].typed_config: one of grpc_service, http_service is required'),
  refuses(at.statsSink, 'grpc_service: {envoy_grpc: {cluster_name: gg}}', 'there is no cluster "gg"'),
  oursRefuses(
    at.telemetry,
    'node: {id: i, cluster: c}, stats_sinks: [{name: envoy.stat_sinks.statsd, typed_config: {"@type": type.googleapis.com/envoy.config.metrics.v3.StatsdSink, tcp_cluster_name: h}}]',
    'StatsdSink is not supported; write envoy.extensions.stat_sinks.open_telemetry.v3.SinkConfig, or scrape',
  ),
  refuses(at.telemetry, 'stats_flush_interval: 0s', 'stats_flush_interval: must be at least 0.001s, got 0s'),
  takes(at.telemetry, 'stats_flush_on_admin: true'),
  takes(at.telemetry, 'tracing: {}'),
  oursRefuses(
    at.telemetry,
    'tracing: {http: {name: p, typed_config: {"@type": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig, collector_cluster: hh, collector_endpoint: /x, collector_endpoint_version: HTTP_JSON}}}',
    'tracing.http.typed_config.collector_cluster: there is no cluster "hh"',
  ),
];

export const telemetryCases: readonly ConfigCase[] = [
  ...tracingCases,
  ...providerCases,
  ...logCases,
  ...bootstrapCases,
];
