// Headers that are added, access logs and their formats and filters.

import { type ConfigCase, envoyRefuses, oursRefuses, refuses, takes } from './config-case.ts';
import * as at from './config-place.ts';

export const formatCases: readonly ConfigCase[] = [
  takes(at.headerToAdd, 'header: {key: "x-a", value: "v"}'),
  refuses(
    at.headerToAdd,
    'header: {key: "host", value: "v"}',
    'header.key: host may not be modified; use a path or host rewrite',
  ),
  refuses(
    at.headerToAdd,
    'header: {key: "Host", value: "v"}',
    'header.key: Host may not be modified; use a path or host rewrite',
  ),
  oursRefuses(
    at.headerToAdd,
    'header: {key: "content-length", value: "v"}',
    'header.key: modifying content-length is not supported; it belongs to the connection and its framing',
  ),
  refuses(at.headerToAdd, 'header: {value: v}', 'header.key: key is required'),
  refuses(at.headerToAdd, 'append: true', 'request_headers_to_add[0].header: header is required'),
  takes(at.logText, '%PROTOCOL%'),
  refuses(
    at.logText,
    '%PROTOCOL',
    'log_format.text_format_source: position 0: % must begin a command such as %PROTOCOL% or be written %%',
  ),
  refuses(
    at.logText,
    '100%',
    'log_format.text_format_source: position 3: % must begin a command such as %PROTOCOL% or be written %%',
  ),
  oursRefuses(
    at.logText,
    '%CEL(request.path)%',
    'text_format_source: %CEL% is not a supported command; expressions are not evaluated: write a command for each',
  ),
  oursRefuses(
    at.logText,
    '%UPSTREAM_LOCAL_CLOSE_REASON%',
    '%UPSTREAM_LOCAL_CLOSE_REASON% is not a supported command; write %CONNECTION_TERMINATION_DETAILS%,',
  ),
  takes(at.logText, '%FILTER_STATE(a)%'),
  takes(at.logText, '%FILTER_STATE(upstream_peer:FIELD:workload)%'),
  refuses(
    at.logText,
    '%FILTER_STATE(a:NOPE)%',
    '%FILTER_STATE(a:NOPE)% must be NAME, NAME:TYPED, NAME:PLAIN or NAME:FIELD:NAME',
  ),
  takes(at.logText, '%COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)%'),
  envoyRefuses(at.logText, '%REQ_WITHOUT_QUERY(:PATH)%', 'it needs no entry in formatters'),
  takes(at.formatter, 'req_without_query.v3.ReqWithoutQuery'),
  takes(at.formatter, 'metadata.v3.Metadata'),
  oursRefuses(
    at.formatter,
    'cel.v3.Cel',
    'formatters[0].typed_config: formatter type.googleapis.com/envoy.extensions.',
  ),
  envoyRefuses(at.logText, '%VIRTUAL_HOST_NAME%', 'a command of our own'),
  envoyRefuses(at.logText, '%FAILURE_REASON%', 'a command of our own'),
  refuses(
    at.accessLog,
    'log_format: {json_format: {a: "%PROTOCOL%", b: 1, c: {d: ["%NOPE%"]}}}',
    'log_format.json_format: c.d.0: %NOPE% is not a supported command',
  ),
  takes(at.accessLog, 'log_format: {json_format: {a: "%PROTOCOL%", b: 1, c: {d: ["%DURATION%"], e: null, f: true}}}'),
  refuses(at.accessLog, 'log_format: {json_format: [a]}', 'log_format.json_format: expected an object, got a list'),
  refuses(
    at.accessLog,
    'log_format: {}',
    'typed_config.log_format: one of text_format, json_format, text_format_source is required',
  ),
  takes(at.accessLog, 'log_format: {text_format: "%PROTOCOL%"}'),
  takes(at.accessLog, 'log_format: {text_format_source: {inline_string: ""}}'),
  refuses(
    at.accessLog,
    'log_format: {text_format_source: {}}',
    'log_format.text_format_source: one of filename, inline_bytes, inline_string, environment_variable is required',
  ),
  refuses(
    at.accessLog,
    'log_format: {text_format_source: {filename: /no/such/file}}',
    'text_format_source.filename: /no/such/file cannot be read: ENOENT',
  ),
  refuses(at.logFilter, 'status_code_filter: {}', 'status_code_filter.comparison: comparison is required'),
  takes(at.logFilter, 'status_code_filter: {comparison: {op: GE, value: {default_value: 400, runtime_key: k}}}'),
  refuses(
    at.logFilter,
    'and_filter: {filters: [{not_health_check_filter: {}}]}',
    'and_filter.filters: must have at least 2 elements, has 1',
  ),
  refuses(
    at.logFilter,
    'response_flag_filter: {flags: [XX]}',
    'response_flag_filter.flags[0]: "XX" is not one of LH, UH, UT, LR, UR, UF, UC, UO, NR, DI, FI, RL, UAEX, RLSE,',
  ),
  takes(at.logFilter, 'response_flag_filter: {flags: [UH, NR]}'),
  refuses(
    at.logFilter,
    '',
    'access_log[0].filter: one of status_code_filter, duration_filter, not_health_check_filter, traceable_filter,',
  ),
  takes(at.logFilter, 'runtime_filter: {runtime_key: a}'),
  takes(at.logFilter, 'grpc_status_filter: {statuses: [OK, 5]}'),
  refuses(
    at.logFilter,
    'grpc_status_filter: {statuses: [ALL_GOOD]}',
    'grpc_status_filter.statuses[0]: "ALL_GOOD" is not a value of this field; expected one of OK, CANCELED,',
  ),
  takes(at.logFilter, 'duration_filter: {comparison: {op: GE, value: {default_value: 400}}}'),
  refuses(
    at.logFilter,
    'runtime_filter: {percent_sampled: {numerator: 1}}',
    'runtime_filter.runtime_key: runtime_key is required',
  ),
  refuses(at.logFilter, 'status_code_filter: {comparison: {op: GE}}', 'comparison.value: value is required'),
];
