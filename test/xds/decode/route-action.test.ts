import t from 'tap';
import type { ForwardAction } from '../../../config/route.ts';
import { decodeRouteAction } from '../../../xds/decode/route-action.ts';
import type { Route } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const action = (yaml: string) =>
  decodedAs('envoy.config.route.v3.Route', `{match: {prefix: /}, ${yaml}}`, (message: Route, problems) =>
    decodeRouteAction(message, 8, problems),
  );
const forward = (fields: string) => action(`route: {cluster: a, ${fields}}`);

t.test("forwarding has Envoy's defaults", async (t) => {
  t.same(action('route: {cluster: a}').value, {
    kind: 'forward',
    target: { kind: 'cluster', name: 'a' },
    clusterNotFoundStatus: 503,
    appendForwardedHost: false,
    timeoutMs: 15_000,
    priority: 'default',
    upgrades: {},
    metadataMatch: {},
  });
});

t.test('what a route sets for forwarding', async (t) => {
  const rows: readonly [fields: string, part: object][] = [
    ['timeout: 0s', { timeoutMs: 0 }],
    ['idle_timeout: 0s', { idleTimeoutMs: 0 }],
    ['timeout: 1s, max_stream_duration: {max_stream_duration: 2s}', { timeoutMs: 0, maxStreamDurationMs: 2000 }],
    ['timeout: 1s, max_stream_duration: {}', { timeoutMs: 0, maxStreamDurationMs: undefined }],
    [
      'max_grpc_timeout: 0s, grpc_timeout_offset: 0.1s',
      { grpcTimeout: { limits: 'timeout', maxMs: 0, offsetMs: 100 } },
    ],
    [
      'max_grpc_timeout: 5s, max_stream_duration: {grpc_timeout_header_max: 2s}',
      { grpcTimeout: { limits: 'stream-duration', maxMs: 2000, offsetMs: 0 } },
    ],
    ['max_grpc_timeout: 5s, max_stream_duration: {}', { grpcTimeout: undefined }],
    ['priority: HIGH', { priority: 'high' }],
    ['cluster_not_found_response_code: NOT_FOUND', { clusterNotFoundStatus: 404 }],
    ['cluster_not_found_response_code: INTERNAL_SERVER_ERROR', { clusterNotFoundStatus: 500 }],
    ['prefix_rewrite: /b', { pathRewrite: { kind: 'prefix', replacement: '/b' } }],
    [
      'regex_rewrite: {pattern: {regex: "^/(a)"}, substitution: "/\\\\1"}',
      { pathRewrite: { kind: 'regex', regex: '^/(a)', substitution: '/\\1' } },
    ],
    ['host_rewrite_literal: h', { hostRewrite: { kind: 'literal', value: 'h' } }],
    ['auto_host_rewrite: true', { hostRewrite: { kind: 'auto' } }],
    ['auto_host_rewrite: false', { hostRewrite: undefined }],
    ['host_rewrite_header: x-h', { hostRewrite: { kind: 'header', name: 'x-h' } }],
    [
      'host_rewrite_path_regex: {pattern: {regex: a}, substitution: b}',
      { hostRewrite: { kind: 'path-regex', regex: 'a', substitution: 'b' } },
    ],
    ['append_x_forwarded_host: true', { appendForwardedHost: true }],
    ['retry_policy: {num_retries: 3}', { retryPolicy: { numRetries: 3 } }],
    [
      'upgrade_configs: [{upgrade_type: WebSocket}, {upgrade_type: x, enabled: false}]',
      { upgrades: { websocket: true, x: false } },
    ],
    ['metadata_match: {filter_metadata: {envoy.lb: {a: b}}}', { metadataMatch: { 'envoy.lb': { a: 'b' } } }],
  ];
  for (const [fields, part] of rows) {
    const { value, problems } = forward(fields);
    t.same(problems, [], fields);
    t.match(value, part, fields);
  }
});

t.test('redirects', async (t) => {
  t.same(action('redirect: {}').value, { kind: 'redirect', status: 301, https: false, stripQuery: false });
  const statuses = { FOUND: 302, SEE_OTHER: 303, TEMPORARY_REDIRECT: 307, PERMANENT_REDIRECT: 308 };
  for (const [name, status] of Object.entries(statuses))
    t.match(action(`redirect: {response_code: ${name}}`).value, { status });
  t.match(
    action(
      'redirect: {https_redirect: true, host_redirect: h, port_redirect: 8443, path_redirect: /p, strip_query: true}',
    ).value,
    {
      https: true,
      host: 'h',
      port: 8443,
      path: { kind: 'replace', value: '/p' },
      stripQuery: true,
    },
  );
  t.match(action('redirect: {scheme_redirect: https, prefix_rewrite: /p}').value, {
    scheme: 'https',
    path: { kind: 'prefix', replacement: '/p' },
  });
  t.match(action('redirect: {regex_rewrite: {pattern: {regex: a}, substitution: b}}').value, {
    path: { kind: 'regex', regex: 'a', substitution: 'b' },
  });
});

t.test('direct responses have a body of bounded size', async (t) => {
  t.same(action('direct_response: {status: 204}').value, {
    kind: 'direct-response',
    status: 204,
    body: new Uint8Array(),
  });
  t.same(action('direct_response: {status: 200, body: {inline_string: "12345678"}}').problems.length, 0);
  t.same(action('direct_response: {status: 200, body: {inline_string: "123456789"}}').problems, [
    'direct_response.body: has 9 bytes; max_direct_response_body_size_bytes is 8',
  ]);
  t.same(action('direct_response: {status: 700}').problems, ['direct_response.status: must be less than 600, got 700']);
});

t.test('formats of paths, hosts and bodies', async (t) => {
  const pathRewrite = { kind: 'format', format: '/%REQ(a)%' };
  t.match(forward('path_rewrite: "/%REQ(a)%"').value, { pathRewrite });
  t.match(forward('host_rewrite: "%REQ(a)%.b"').value, { hostRewrite: { kind: 'format', format: '%REQ(a)%.b' } });
  t.match(action('redirect: {path_rewrite: "/%REQ(a)%"}').value, { path: pathRewrite });
  t.notOk('pathRewrite' in forward('path_rewrite: ""').value!);
  t.notOk('path' in action('redirect: {path_rewrite: ""}').value!);
  const body = (fields: string) => action(`direct_response: {status: 200, body_format: {${fields}}}`).value;
  t.match(body('text_format: "a%PROTOCOL%"'), {
    bodyFormat: { format: { kind: 'text', format: 'a%PROTOCOL%' }, contentType: '' },
  });
  t.match(body('json_format: {a: b}'), { bodyFormat: { contentType: 'application/json' } });
  t.match(body('json_format: {a: b}, content_type: a/b'), { bodyFormat: { contentType: 'a/b' } });
  for (const [problem, { problems }] of [
    ['route.path_rewrite: %NO% is not', forward('path_rewrite: "%NO%"')],
    ['route.host_rewrite: %NO% is not', forward('host_rewrite: "%NO%"')],
    ['redirect.path_rewrite: %NO% is not', action('redirect: {path_rewrite: "%NO%"}')],
    ['redirect.path_rewrite: must not hold line breaks', action('redirect: {path_rewrite: "/a\\nb"}')],
    ['route.path_rewrite: must not hold line breaks', forward('path_rewrite: "/a\\r"')],
    ['route.host_rewrite: must not hold line breaks', forward('host_rewrite: "a\\0"')],
    ['route.path_rewrite: only one of prefix_rewrite and', forward('path_rewrite: /a, prefix_rewrite: /b')],
    ['body_format.text_format: %NO%', action('direct_response: {status: 200, body_format: {text_format: "%NO%"}}')],
  ] as const) {
    t.ok(problems.join('\n').includes(problem), problem, { problems });
  }
});

t.test('CONNECT ends here where connect_config says so', async (t) => {
  const termination = (fields: string) =>
    (forward(`upgrade_configs: [{upgrade_type: CONNECT, ${fields}}]`).value as Partial<ForwardAction>)
      .connectTermination;
  t.equal(termination('enabled: true'), undefined);
  t.same(termination('connect_config: {}'), { allowsPost: false });
  t.same(termination('connect_config: {allow_post: true}'), { allowsPost: true });
  t.equal(termination('enabled: false, connect_config: {allow_post: true}'), undefined);
  t.same(forward('upgrade_configs: [{upgrade_type: websocket, connect_config: {}}]').problems, [
    'route.upgrade_configs[0].connect_config: is for upgrade_type CONNECT only, not for websocket',
  ]);
  t.match(
    forward('upgrade_configs: [{upgrade_type: CONNECT, connect_config: {proxy_protocol_config: {}}}]').problems[0],
    /^route\.upgrade_configs\[0\]\.connect_config\.proxy_protocol_config: .* not supported/,
  );
});

t.test('problems', async (t) => {
  const both = forward('prefix_rewrite: /b, regex_rewrite: {pattern: {regex: a}}');
  t.same(both.problems, ['route.regex_rewrite: only one of prefix_rewrite and regex_rewrite may be set']);
  t.same(forward('upgrade_configs: [{upgrade_type: a}, {upgrade_type: A}]').problems, [
    'route.upgrade_configs[1].upgrade_type: A exists already',
  ]);
  t.same(forward('timeout: -1s').problems, ['route.timeout: must not be negative, got -1s']);
  t.match(action('name: a').problems[0], /one of route, redirect, direct_response is required/);
});
