// The HTTP connection manager.

import { type ConfigCase, envoyRefuses, oursRefuses, refuses, takes } from './config-case.ts';
import * as at from './config-place.ts';

export const managerCases: readonly ConfigCase[] = [
  takes(at.manager, 'stream_idle_timeout: 0s'),
  takes(at.manager, 'merge_slashes: true'),
  refuses(at.manager, 'merge_slashes: 1', 'typed_config.merge_slashes: expected true or false, got 1'),
  takes(at.manager, 'merge_slashes: yes'),
  takes(at.manager, 'merge_slashes: True'),
  takes(at.manager, 'merge_slashes: "TRUE"'),
  refuses(
    at.manager,
    'server_name: 1',
    'typed_config.server_name: expected text (numbers and true or false need quotes), got 1',
  ),
  refuses(
    at.manager,
    'server_name: true',
    'typed_config.server_name: expected text (numbers and true or false need quotes), got true',
  ),
  takes(at.manager, 'server_name: ""'),
  oursRefuses(
    at.manager,
    'server_name: 1.5',
    'typed_config.server_name: expected text (numbers and true or false need quotes), got 1.5',
  ),
  takes(at.manager, 'codec_type: AUTO'),
  oursRefuses(at.manager, 'codec_type: HTTP2', 'typed_config.codec_type: HTTP2 is not supported; write AUTO or HTTP1'),
  refuses(at.manager, 'codec_type: HTTP3', 'typed_config.codec_type: HTTP3 is not supported; write AUTO or HTTP1'),
  takes(at.manager, 'codec_type: http1'),
  refuses(
    at.manager,
    'codec_type: 9',
    'typed_config.codec_type: 9 is not a value of this field; expected one of AUTO, HTTP1, HTTP2, HTTP3',
  ),
  refuses(
    at.bareManager,
    'http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]',
    'filters[0].typed_config: one of rds, route_config is required',
  ),
  oursRefuses(at.bareManager, 'route_config: {}', 'typed_config.http_filters: the last HTTP filter must be the router'),
  refuses(
    at.bareManager,
    'route_config: {}, http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}, {name: r2, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]',
    'typed_config.http_filters[0]: the router must be the last HTTP filter',
  ),
  refuses(
    at.bareManager,
    'route_config: {}, http_filters: [{name: envoy.filters.http.router}]',
    'http_filters[0].typed_config: typed_config is required: it says which HTTP filter this is',
  ),
  refuses(
    at.manager,
    'local_reply_config: {body_format: {text_format_source: {inline_string: "%NOPE%"}}}',
    'body_format.text_format_source: %NOPE% is not a supported command',
  ),
  takes(
    at.manager,
    'local_reply_config: {mappers: [{filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 500, runtime_key: a}}}}, status_code: 503, body: {inline_string: x}, body_format_override: {json_format: {a: "%LOCAL_REPLY_BODY%"}}, headers_to_add: [{header: {key: a, value: b}}]}]}',
  ),
  refuses(
    at.manager,
    'local_reply_config: {mappers: [{filter: {not_health_check_filter: {}}, status_code: 99}]}',
    'mappers[0].status_code: must be at least 200, got 99',
  ),
  refuses(at.manager, 'local_reply_config: {mappers: [{status_code: 503}]}', 'mappers[0].filter: filter is required'),
  refuses(
    at.manager,
    'upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: WebSocket}]',
    'upgrade_configs[1].upgrade_type: WebSocket exists already',
  ),
  takes(at.manager, 'upgrade_configs: [{}]'),
  refuses(at.manager, 'max_request_headers_kb: 0', 'typed_config.max_request_headers_kb: must be more than 0, got 0'),
  refuses(
    at.manager,
    'max_request_headers_kb: 8193',
    'typed_config.max_request_headers_kb: must be at most 8192, got 8193',
  ),
  takes(at.manager, 'max_request_headers_kb: 8192'),
  refuses(
    at.manager,
    'common_http_protocol_options: {max_headers_count: 0}',
    'common_http_protocol_options.max_headers_count: must be at least 1, got 0',
  ),
  refuses(
    at.manager,
    'strip_any_host_port: true, strip_matching_host_port: true',
    'typed_config.strip_any_host_port: only one of strip_matching_host_port and strip_any_host_port may be set',
  ),
  takes(at.manager, 'strip_any_host_port: false, strip_matching_host_port: true'),
  refuses(
    at.manager,
    'scheme_header_transformation: {scheme_to_overwrite: ftp}',
    'scheme_header_transformation.scheme_to_overwrite: "ftp" is not one of http, https',
  ),
  takes(at.manager, 'http_protocol_options: {accept_http_10: true, default_host_for_http_10: a}'),
  refuses(
    at.manager,
    'http_protocol_options: {header_key_format: {proper_case_words: {}, stateful_formatter: {name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig}}}}',
    'header_key_format.stateful_formatter: only one of proper_case_words and stateful_formatter may be set',
  ),
  refuses(
    at.manager,
    'http_protocol_options: {header_key_format: {}}',
    'http_protocol_options.header_key_format: one of proper_case_words, stateful_formatter is required',
  ),
  takes(at.manager, 'server_header_transformation: PASS_THROUGH'),
  refuses(at.manager, 'via: "a\\r\\nb"', 'typed_config.via: must not hold line breaks or zero bytes'),
  refuses(at.manager, 'server_name: "a\\r\\nb"', 'typed_config.server_name: must not hold line breaks or zero bytes'),
  takes(at.manager, 'use_remote_address: true, xff_num_trusted_hops: 1'),
  refuses(
    at.bareManager,
    'rds: {route_config_name: a, config_source: {ads: {}}}, http_filters: [{name: r, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]',
    'rds.config_source: there is no ads_config in the bootstrap that ads could mean',
  ),
  takes(at.manager, 'common_http_protocol_options: {max_stream_duration: 1s}'),
  refuses(
    at.manager,
    'common_http_protocol_options: {idle_timeout: -1s}',
    'common_http_protocol_options.idle_timeout: must not be negative, got -1s',
  ),
  takes(at.manager, 'request_headers_timeout: 1s'),
  takes(
    at.manager,
    'access_log: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: /dev/null}}]',
  ),
  refuses(
    at.manager,
    'access_log: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog}}]',
    'typed_config.path: path is required',
  ),
  refuses(
    at.manager,
    'access_log: [{name: envoy.access_loggers.stdout}]',
    'access_log[0].typed_config: typed_config is required: it says which access logger this is',
  ),
  takes(at.manager, 'merge_slashes: "false"'),
  takes(at.manager, 'merge_slashes: "False"'),
  envoyRefuses(at.manager, 'server_name: yes', 'YAML 1.2 has no other words for true and false, so this is text'),
  takes(at.manager, 'use_remote_address: {value: true}'),
  takes(at.manager, 'use_remote_address: {}'),
  refuses(
    at.manager,
    'stream_idle_timeout: 9223372036s',
    'typed_config.stream_idle_timeout: must be at most 9223372035.999s, got 9223372036s',
  ),
];
