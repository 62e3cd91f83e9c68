import t from 'tap';
import { decodeHttpConnectionManager } from '../../../xds/decode/http-connection-manager.ts';
import type { HttpConnectionManager } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const typeName = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const bare = (fields: string) =>
  decodedAs(typeName, `{stat_prefix: s, ${fields}}`, (message: HttpConnectionManager, problems) =>
    decodeHttpConnectionManager(message, problems),
  );
const router = (fields = '') =>
  `{name: r, typed_config: {"@type": a/envoy.extensions.filters.http.router.v3.Router, ${fields}}}`;
const manager = (fields: string) => bare(`route_config: {name: n}, http_filters: [${router()}], ${fields}`);

t.test('a connection manager has the defaults', async (t) => {
  const { value, problems } = manager('');
  t.same(problems, []);
  const { routes, httpFilters, ...rest } = value!;
  t.match(routes, { kind: 'inline', routes: { name: 'n' } });
  t.match(httpFilters, onlyItems({ kind: 'router', name: 'r', config: { suppressEnvoyHeaders: false } }));
  t.same(rest, {
    statPrefix: 's',
    codec: 'auto',
    accessLogs: [],
    localReply: { mappers: [] },
    useRemoteAddress: false,
    xffNumTrustedHops: 0,
    skipXffAppend: false,
    internalAddressRanges: [],
    unixSocketsAreInternal: false,
    representIpv4RemoteAsIpv4Mapped: false,
    via: '',
    generateRequestId: true,
    preserveExternalRequestId: false,
    alwaysSetRequestIdInResponse: false,
    scheme: { kind: 'as-received' },
    normalizePath: false,
    mergeSlashes: false,
    escapedSlashes: 'keep',
    stripPort: 'none',
    stripTrailingHostDot: false,
    serverName: 'envoy',
    serverHeader: 'overwrite',
    proxy100Continue: false,
    streamErrorOnInvalidMessage: false,
    maxRequestHeadersKb: 60,
    maxHeadersCount: 100,
    headersWithUnderscores: 'allow',
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    maxStreamDurationMs: 0,
    maxRequestsPerConnection: 0,
    streamIdleTimeoutMs: 300_000,
    requestTimeoutMs: 0,
    requestHeadersTimeoutMs: 0,
    drainTimeoutMs: 5000,
    delayedCloseTimeoutMs: 1000,
    http1: {
      acceptHttp10: false,
      defaultHostForHttp10: '',
      enableTrailers: false,
      allowAbsoluteUrl: true,
      allowCustomMethods: false,
      headerCase: 'preserve',
    },
    upgrades: {},
  });
});

t.test('what a connection manager sets', async (t) => {
  const rows: readonly [fields: string, expected: object][] = [
    ['codec_type: HTTP1', { codec: 'http1' }],
    ['use_remote_address: true, xff_num_trusted_hops: 2', { useRemoteAddress: true, xffNumTrustedHops: 2 }],
    ['skip_xff_append: true, via: v', { skipXffAppend: true, via: 'v' }],
    [
      'internal_address_config: {cidr_ranges: [{address_prefix: 10.0.0.0, prefix_len: 8}]}',
      { internalAddressRanges: onlyItems({ ip: '10.0.0.0', prefixLength: 8 }) },
    ],
    [
      'generate_request_id: false, preserve_external_request_id: true',
      { generateRequestId: false, preserveExternalRequestId: true },
    ],
    ['scheme_header_transformation: {scheme_to_overwrite: https}', { scheme: { kind: 'overwrite', scheme: 'https' } }],
    ['normalize_path: true, merge_slashes: true', { normalizePath: true, mergeSlashes: true }],
    ['path_with_escaped_slashes_action: REJECT_REQUEST', { escapedSlashes: 'reject' }],
    ['strip_matching_host_port: true', { stripPort: 'matching' }],
    ['strip_any_host_port: true, strip_trailing_host_dot: true', { stripPort: 'any', stripTrailingHostDot: true }],
    ['server_name: n, server_header_transformation: PASS_THROUGH', { serverName: 'n', serverHeader: 'pass-through' }],
    ['proxy_100_continue: true, max_request_headers_kb: 8', { proxy100Continue: true, maxRequestHeadersKb: 8 }],
    [
      'common_http_protocol_options: {max_headers_count: 5, idle_timeout: 0s, max_stream_duration: 1s, headers_with_underscores_action: DROP_HEADER}',
      { maxHeadersCount: 5, idleTimeoutMs: 0, maxStreamDurationMs: 1000, headersWithUnderscores: 'drop-header' },
    ],
    ['stream_idle_timeout: 0s, request_timeout: 2s', { streamIdleTimeoutMs: 0, requestTimeoutMs: 2000 }],
    [
      'http_protocol_options: {accept_http_10: true, default_host_for_http_10: h, header_key_format: {proper_case_words: {}}}',
      { http1: { acceptHttp10: true, defaultHostForHttp10: 'h', headerCase: 'proper-case' } },
    ],
    [
      'upgrade_configs: [{upgrade_type: WebSocket}, {upgrade_type: x, enabled: false}]',
      { upgrades: { websocket: true, x: false } },
    ],
  ];
  for (const [fields, expected] of rows) t.match(manager(fields), { value: expected, problems: noItems }, fields);
});

t.test('the option of the protocol wins over that of the connection manager', async (t) => {
  const both =
    'stream_error_on_invalid_http_message: true, http_protocol_options: {override_stream_error_on_invalid_http_message: false}';
  t.equal(manager('stream_error_on_invalid_http_message: true').value?.streamErrorOnInvalidMessage, true);
  t.equal(manager(both).value?.streamErrorOnInvalidMessage, false);
});

t.test('what is told of a client certificate is in the order of Envoy', async (t) => {
  const set = 'set_current_client_cert_details: {dns: true, uri: true, chain: true, cert: true, subject: true}';
  const told = (mode: string, details = set) => manager(`forward_client_cert_details: ${mode}, ${details}`).value!;
  t.same(told('APPEND_FORWARD').forwardClientCert, {
    mode: 'append-forward',
    details: ['cert', 'chain', 'subject', 'uri', 'dns'],
  });
  t.same(told('SANITIZE_SET', '').forwardClientCert, { mode: 'sanitize-set', details: [] });
  t.same(told('FORWARD_ONLY', 'set_current_client_cert_details: {uri: false}').forwardClientCert, {
    mode: 'forward-only',
    details: [],
  });
  t.equal(told('ALWAYS_FORWARD_ONLY').forwardClientCert?.mode, 'always-forward-only');
  t.equal(told('SANITIZE').forwardClientCert, undefined);
});

t.test('the router is there once, and last', async (t) => {
  const filters = (list: string) => bare(`route_config: {}, http_filters: [${list}]`).problems;
  t.matchOnly(filters(''), [/^http_filters: the last HTTP filter must be the router/]);
  t.strictSame(filters(`${router()}, ${router()}`), ['http_filters[0]: the router must be the last HTTP filter']);
  const rbac = '{name: x, is_optional: true, typed_config: {"@type": a/envoy.extensions.filters.http.rbac.v3.RBAC}}';
  t.matchOnly(filters(`${rbac}, ${router()}`), [
    /^http_filters\[0\]\.typed_config: HTTP filter .*RBAC is not supported; only the router, CORS and /,
  ]);
  t.matchOnly(filters(router('strict_check_headers: [x-envoy-retry-on]')), [/strict_check_headers is not supported/]);
});

t.test('problems', async (t) => {
  t.same(bare(`http_filters: [${router()}]`), {
    value: undefined,
    problems: [': one of rds, route_config is required'],
  });
  t.strictSame(manager('codec_type: HTTP2').problems, ['codec_type: HTTP2 is not supported; write AUTO or HTTP1']);
  t.matchOnly(manager('strip_any_host_port: true, strip_matching_host_port: true').problems, [
    /^strip_any_host_port: only one/,
  ]);
  t.matchOnly(bare(`scoped_routes: {}, http_filters: [${router()}]`).problems, [
    /^scoped_routes: .* write route_config/,
  ]);
});
