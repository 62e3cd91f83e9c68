import t from 'tap';
import type { AccessLogFilter, LineLog } from '../../../config/access-log.ts';
import { defaultTextFormat } from '../../../config/format-commands.ts';
import { decodeAccessLogFilter, decodeAccessLogs } from '../../../xds/decode/access-log.ts';
import type { AccessLog, AccessLogFilter as FilterMessage } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const log = (yaml: string) =>
  decodedAs('envoy.config.accesslog.v3.AccessLog', yaml, (message: AccessLog, problems) =>
    decodeAccessLogs([message], problems),
  );
const file = (fields: string) =>
  log(`{typed_config: {"@type": a/envoy.extensions.access_loggers.file.v3.FileAccessLog, ${fields}}}`);
const filter = (yaml: string) =>
  decodedAs('envoy.config.accesslog.v3.AccessLogFilter', yaml, (message: FilterMessage, problems) =>
    decodeAccessLogFilter(message, problems),
  );

const text = { kind: 'text', format: defaultTextFormat, omitEmptyValues: false };

t.test('a log goes to a file, to stdout or to stderr', async (t) => {
  t.same(file('path: /var/log/a').value, [{ sink: { kind: 'file', path: '/var/log/a' }, format: text }]);
  t.same(
    file('path: /dev/stdout').value,
    [{ sink: { kind: 'stdout' }, format: text }],
    'opened by us, not by its path',
  );
  for (const kind of ['stdout', 'stderr']) {
    const name = `${kind[0]!.toUpperCase()}${kind.slice(1)}AccessLog`;
    const { value } = log(`{typed_config: {"@type": a/envoy.extensions.access_loggers.stream.v3.${name}}}`);
    t.same(value, [{ sink: { kind }, format: text }]);
  }
});

t.test('the format is text or JSON, in newer and older fields', async (t) => {
  const format = (fields: string) => (file(`path: /a, ${fields}`).value[0] as LineLog).format;
  const line = { kind: 'text', format: '%PROTOCOL%\n', omitEmptyValues: false };
  t.same(format('log_format: {text_format_source: {inline_string: "%PROTOCOL%\\n"}}'), line);
  t.same(format('log_format: {text_format: "%PROTOCOL%\\n"}'), line);
  t.same(format('format: "%PROTOCOL%\\n"'), line);
  const json = {
    kind: 'json',
    fields: { a: '%PROTOCOL%', b: { c: 1 } },
    omitEmptyValues: false,
    sortProperties: false,
  };
  for (const name of ['json_format', 'typed_json_format'])
    t.same(format(`${name}: {a: "%PROTOCOL%", b: {c: 1}}`), json);
  t.same(format('log_format: {json_format: {a: "%PROTOCOL%", b: {c: 1}}}'), json);
  t.match(
    format('log_format: {json_format: {a: b}, omit_empty_values: true, json_format_options: {sort_properties: true}}'),
    {
      omitEmptyValues: true,
      sortProperties: true,
    },
  );
});

t.test('a format that cannot be written is a problem at its field', async (t) => {
  t.match(
    file('path: /a, log_format: {json_format: {a: {b: "%NO%"}}}').problems[0],
    /^\[0\]\.typed_config\.log_format\.json_format: a\.b: %NO%/,
  );
  t.match(
    file('path: /a, typed_json_format: {a: "%NO%"}').problems[0],
    /^\[0\]\.typed_config\.typed_json_format: a: %NO%/,
  );
  t.match(file('path: /a, format: "%NO%"').problems[0], /^\[0\]\.typed_config\.format: %NO%/);
});

t.test('another logger is refused', async (t) => {
  t.match(
    log('{typed_config: {"@type": a/envoy.extensions.access_loggers.wasm.v3.WasmAccessLog}}').problems[0],
    /access logger a\/envoy.*is not supported/,
  );
  t.match(log('{name: envoy.access_loggers.file}').problems[0], /typed_config is required/);
});

t.test('filters', async (t) => {
  const value = '{default_value: 500, runtime_key: a}';
  const comparison = { value: 500, runtimeKey: 'a' };
  const rows: readonly [yaml: string, filter: AccessLogFilter][] = [
    [
      `status_code_filter: {comparison: {op: GE, value: ${value}}}`,
      { kind: 'status-code', comparison: { op: 'ge', ...comparison } },
    ],
    [
      `duration_filter: {comparison: {op: LE, value: ${value}}}`,
      { kind: 'duration-ms', comparison: { op: 'le', ...comparison } },
    ],
    [
      `duration_filter: {comparison: {value: ${value}}}`,
      { kind: 'duration-ms', comparison: { op: 'eq', ...comparison } },
    ],
    ['not_health_check_filter: {}', { kind: 'not-health-check' }],
    ['traceable_filter: {}', { kind: 'traceable' }],
    [
      'runtime_filter: {runtime_key: a, percent_sampled: {numerator: 5}}',
      { kind: 'runtime', fraction: { numerator: 5, denominator: 100, runtimeKey: 'a' } },
    ],
    ['response_flag_filter: {flags: [UH, NR]}', { kind: 'response-flag', flags: ['UH', 'NR'] }],
    ['response_flag_filter: {}', { kind: 'response-flag', flags: [] }],
    [
      'grpc_status_filter: {statuses: [OK, 5], exclude: true}',
      { kind: 'grpc-status', statuses: [0, 5], exclude: true },
    ],
    [
      'and_filter: {filters: [{traceable_filter: {}}, {or_filter: {filters: [{traceable_filter: {}}, {not_health_check_filter: {}}]}}]}',
      {
        kind: 'and',
        filters: [
          { kind: 'traceable' },
          { kind: 'or', filters: [{ kind: 'traceable' }, { kind: 'not-health-check' }] },
        ],
      },
    ],
    [
      'header_filter: {header: {name: a}}',
      {
        kind: 'header',
        matcher: { name: 'a', match: { kind: 'present', present: true }, invert: false, treatMissingAsEmpty: false },
      },
    ],
  ];
  for (const [yaml, expected] of rows) t.same(filter(`{${yaml}}`), { value: expected, problems: [] }, yaml);
});

t.test('a filter that is wrong leaves no log without it', async (t) => {
  const { value, problems } = file('path: /a').value.length
    ? log(
        '{filter: {header_filter: {header: {name: a, string_match: {safe_regex: {regex: "("}}}}}, typed_config: {"@type": a/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog}}',
      )
    : { value: [], problems: [] };
  t.same(value, []);
  t.match(problems[0], /^\[0\]\.filter\.header_filter\.header\.string_match\.safe_regex\.regex/);
  t.match(filter('{response_flag_filter: {flags: [XX]}}').problems[0], /flags\[0\]: "XX" is not one of/);
  t.match(filter('{and_filter: {filters: [{traceable_filter: {}}]}}').problems[0], /at least 2 elements/);
});
