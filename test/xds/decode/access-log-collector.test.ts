import t from 'tap';
import { decodeLogEntries, decodeLogRecords } from '../../../xds/decode/access-log-collector.ts';
import type { HttpGrpcAccessLogConfig, OpenTelemetryAccessLogConfig } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const grpc = 'grpc_service: {envoy_grpc: {cluster_name: c}}';
const service = { kind: 'grpc', cluster: 'c', authority: '', timeoutMs: 0, metadata: [] };
const entries = (fields: string) =>
  decodedAs(
    'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig',
    `{${fields}}`,
    (message: HttpGrpcAccessLogConfig, problems) => decodeLogEntries('http-entries', message, problems),
  );
const records = (fields: string) =>
  decodedAs(
    'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig',
    `{${fields}}`,
    (message: OpenTelemetryAccessLogConfig, problems) => decodeLogRecords(message, problems),
  );

t.test('entries have the defaults of Envoy', async (t) => {
  t.same(entries(`common_config: {log_name: l, ${grpc}}`), {
    value: {
      kind: 'http-entries',
      service,
      logName: 'l',
      flushIntervalMs: 1000,
      bufferSizeBytes: 16_384,
      customTags: [],
      requestHeaders: [],
      responseHeaders: [],
      responseTrailers: [],
    },
    problems: [],
  });
});

t.test('entries take more headers, tags, and a buffer of another size', async (t) => {
  const common = `common_config: {log_name: l, ${grpc}, transport_api_version: V3, buffer_flush_interval: 0.5s, buffer_size_bytes: 0, filter_state_objects_to_log: [upstream_peer], grpc_stream_retry_policy: {num_retries: 3}, custom_tags: [{tag: a, literal: {value: b}}]}`;
  const headers =
    'additional_request_headers_to_log: [X-A], additional_response_headers_to_log: [B], additional_response_trailers_to_log: [c]';
  t.match(entries(`${common}, ${headers}`), {
    value: {
      flushIntervalMs: 500,
      bufferSizeBytes: 0,
      customTags: onlyItems({ tag: 'a', source: { kind: 'literal', value: 'b' } }),
      requestHeaders: onlyItems('x-a'),
      responseHeaders: onlyItems('b'),
      responseTrailers: onlyItems('c'),
    },
    problems: noItems,
  });
});

t.test('entries need a name and a service, of the one version there is', async (t) => {
  t.matchOnly(entries(`common_config: {${grpc}}`).problems, [/^common_config\.log_name: /]);
  t.matchOnly(entries('common_config: {log_name: l}').problems, [/^common_config\.grpc_service: /]);
  t.matchOnly(entries(`common_config: {log_name: l, ${grpc}, transport_api_version: V2}`).problems, [
    /^common_config\.transport_api_version: V2 is not supported; write V3$/,
  ]);
});

t.test('records are bare without more', async (t) => {
  t.same(records(grpc), {
    value: {
      kind: 'opentelemetry',
      service,
      logName: '',
      flushIntervalMs: 1000,
      bufferSizeBytes: 16_384,
      customTags: [],
      attributes: [],
      resource: { fromEnvironment: false, attributes: [] },
      hasBuiltinLabels: true,
      statPrefix: '',
    },
    problems: [],
  });
  t.equal(records(`${grpc}, body: {}`).value?.kind, 'opentelemetry');
});

t.test('bodies and attributes are formats, lists and maps of such', async (t) => {
  const list = '{array_value: {values: [{string_value: "%PROTOCOL%"}, {string_value: b}]}}';
  const map = `{kvlist_value: {values: [{key: x, value: ${list}}, {key: y, value: {string_value: z}}]}}`;
  const { value, problems } = records(`${grpc}, body: ${list}, attributes: {values: [{key: a, value: ${map}}]}`);
  t.same(problems, []);
  const decoded = { kind: 'list', values: onlyItems('%PROTOCOL%', 'b') };
  t.match(value, {
    body: decoded,
    attributes: onlyItems(
      onlyItems('a', {
        kind: 'map',
        fields: onlyItems(onlyItems('x', decoded), onlyItems('y', 'z')),
      }),
    ),
  });
});

t.test('values that a record cannot have are refused at their place', async (t) => {
  t.matchOnly(records(`${grpc}, body: {string_value: "%NOPE%"}`).problems, [/^body\.string_value: %NOPE%/]);
  t.matchOnly(records(`${grpc}, body: {int_value: 1}`).problems, [
    /^body\.int_value: int_value is not supported; write/,
  ]);
  t.matchOnly(records(`${grpc}, attributes: {values: [{key: a}]}`).problems, [
    /^attributes\.values\[0\]\.value: a value is required: string_value, array_value or kvlist_value$/,
  ]);
  t.matchOnly(records(`${grpc}, body: {array_value: {values: [{}]}}`).problems, [
    /^body\.array_value\.values\[0\]: a value is required/,
  ]);
});

t.test('what is written of the resource wins over what is detected', async (t) => {
  const detector =
    '{name: d, typed_config: {"@type": a/envoy.extensions.tracers.opentelemetry.resource_detectors.v3.StaticConfigResourceDetectorConfig, attributes: {a: "1", b: "2"}}}';
  const written = '{values: [{key: a, value: {string_value: "%PROTOCOL%"}}]}';
  const fields = `${grpc}, resource_detectors: [${detector}], resource_attributes: ${written}, disable_builtin_labels: true, stat_prefix: s`;
  t.match(records(fields).value, {
    resource: {
      attributes: onlyItems(onlyItems('a', '%PROTOCOL%'), onlyItems('b', '2')),
    },
    hasBuiltinLabels: false,
    statPrefix: 's',
  });
  t.matchOnly(records(`${grpc}, resource_attributes: {values: [{key: a, value: {array_value: {}}}]}`).problems, [
    /^resource_attributes\.values\[0\]\.value: a list or map in a resource is not supported/,
  ]);
});

t.test('older fields of a record log count where the newer ones are not there', async (t) => {
  const tags = (value: string) => `custom_tags: [{tag: a, literal: {value: ${value}}}]`;
  const common = `common_config: {log_name: l, ${grpc}, buffer_size_bytes: 5, buffer_flush_interval: 2s, ${tags('old')}}`;
  t.match(records(common), {
    value: {
      service: { kind: 'grpc', cluster: 'c', authority: '', timeoutMs: 0, metadata: noItems },
      logName: 'l',
      bufferSizeBytes: 5,
      flushIntervalMs: 2000,
      customTags: onlyItems({ source: { value: 'old' } }),
    },
    problems: noItems,
  });
  t.match(records(`${common}, log_name: n, buffer_size_bytes: 6, ${tags('new')}`).value, {
    logName: 'n',
    bufferSizeBytes: 6,
    flushIntervalMs: 2000,
    customTags: onlyItems({ source: { value: 'new' } }),
  });
});

t.test('exactly one service takes records', async (t) => {
  const message = ': exactly one of grpc_service, http_service and common_config.grpc_service is required';
  t.same(records('').problems, [message]);
  t.same(records(`${grpc}, common_config: {log_name: l, ${grpc}}`).problems, [message]);
  const http = 'http_service: {http_uri: {uri: "http://a/v1/logs", cluster: c, timeout: 1s}}';
  t.match(records(http).value?.service, { kind: 'http', uri: 'http://a/v1/logs' });
});
