// Which route a request takes and what the route makes of it.

import { bootstrap, cluster, httpListener, type Json } from '../bootstrap.ts';
import { requestOf, type Suite } from '../suite.ts';

const to = (name: string, match: Json, action: Json = { cluster: 'app' }): Json => ({ name, match, route: action });
const host = (
  name: string,
  domains: readonly string[],
  routes: readonly Json[] = [to(name, { prefix: '/' })],
): Json => ({
  name,
  domains,
  routes,
});

const headerMatchers: Readonly<Record<string, Json>> = {
  exact: { string_match: { exact: 'a' } },
  prefix: { string_match: { prefix: 'a' } },
  suffix: { string_match: { suffix: 'a' } },
  contains: { string_match: { contains: 'a' } },
  regex: { string_match: { safe_regex: { regex: 'a+b?' } } },
  'ignore-case': { string_match: { exact: 'A', ignore_case: true } },
  range: { range_match: { start: -5, end: 10 } },
  present: { present_match: true },
  absent: { present_match: false },
  inverted: { string_match: { exact: 'a' }, invert_match: true },
  'missing-empty': { string_match: { exact: '' }, treat_missing_header_as_empty: true },
};

const cookieMatchers: Readonly<Record<string, Json>> = {
  exact: { string_match: { exact: 'a' } },
  prefix: { string_match: { prefix: 'a' } },
  regex: { string_match: { safe_regex: { regex: 'a+b?' } } },
  empty: { string_match: { exact: '' } },
  'ignore-case': { string_match: { exact: 'A', ignore_case: true } },
  inverted: { string_match: { exact: 'a' }, invert_match: true },
};
const cookieFields = [
  'k=a',
  'k=b',
  'k=ab',
  'k=A',
  'K=a',
  'k=',
  'k',
  'k="a"',
  'k="a',
  'k= a',
  'k =a',
  'x=1; k=a',
  'x=1;k=a',
  'x=1;\tk=a',
  'x=1,k=a',
  'k=b; k=a',
  'k=a; k=b',
  'k=a=b',
  'kk=a',
  ';;k=a;;',
  'k=a\tb',
];

const redirects: Readonly<Record<string, Json>> = {
  '/r/host': { host_redirect: 'other.example' },
  '/r/port': { port_redirect: 8443 },
  '/r/https': { https_redirect: true },
  '/r/scheme': { scheme_redirect: 'ftp' },
  '/r/path': { path_redirect: '/there' },
  '/r/query-path': { path_redirect: '/there?own=1' },
  '/r/prefix': { prefix_rewrite: '/pre' },
  '/r/regex': { regex_rewrite: { pattern: { regex: '^/r/regex/(\\w+)' }, substitution: '/\\1/x' } },
  '/r/strip': { path_redirect: '/there', strip_query: true },
  '/r/format/': { path_rewrite: '/there/%REQ(x-host)%/%PROTOCOL%' },
  '/r/format-query': { path_rewrite: '/there?own=%REQ(x-host)%', strip_query: true },
  '/r/format-strip': { path_rewrite: '/there/%REQ(x-host)%', strip_query: true },
  '/r/format-slash': { path_rewrite: 'there%ROUTE_NAME%' },
  '/r/format-none': { path_rewrite: '%REQ(x-none)%' },
  '/r/format-none-strip': { path_rewrite: '%REQ(x-none)%', strip_query: true },
  '/r/302': { path_redirect: '/there', response_code: 'FOUND' },
  '/r/303': { path_redirect: '/there', response_code: 'SEE_OTHER' },
  '/r/307': { path_redirect: '/there', response_code: 'TEMPORARY_REDIRECT' },
  '/r/308': { path_redirect: '/there', response_code: 'PERMANENT_REDIRECT' },
};

const pathHost = { pattern: { regex: '^/w/path-host/(\\w+).*' }, substitution: '\\1.example' };
const weight = (key: string): Json => ({ header: { key, value: 'w' } });
const other: Json = {
  name: 'other',
  weight: 5,
  request_headers_to_add: [weight('x-weight')],
  response_headers_to_add: [weight('x-back')],
};
const rewrites: Readonly<Record<string, Json>> = {
  '/w/prefix': { cluster: 'app', prefix_rewrite: '/new' },
  '/w/slash/': { cluster: 'app', prefix_rewrite: '/' },
  '/w/regex': { cluster: 'app', regex_rewrite: { pattern: { regex: '/(\\w+)/regex' }, substitution: '/re/\\1' } },
  '/w/host': { cluster: 'app', host_rewrite_literal: 'new.example' },
  '/w/auto': { cluster: 'app', auto_host_rewrite: true },
  '/w/header': { cluster: 'app', host_rewrite_header: 'x-host' },
  '/w/path-host': { cluster: 'app', host_rewrite_path_regex: pathHost },
  '/w/format': { cluster: 'app', path_rewrite: '/new/%REQ(x-host)%/%REQ(:method)%' },
  '/w/none-format': { cluster: 'app', path_rewrite: '%REQ(x-none)%' },
  '/w/host-format': { cluster: 'app', host_rewrite: '%REQ(x-host)%.%REQ(x-none)%.example' },
  '/w/sticky': {
    weighted_clusters: {
      header_name: 'x-sticky',
      clusters: [
        { name: 'app', weight: 3 },
        { ...other, weight: 4 },
      ],
    },
  },
  '/w/forwarded': { cluster: 'app', host_rewrite_literal: 'new.example', append_x_forwarded_host: true },
  '/w/timeout': { cluster: 'app', timeout: '7s' },
  '/w/no-timeout': { cluster: 'app', timeout: '0s' },
  '/w/cluster-header': { cluster_header: 'x-cluster' },
  '/w/weighted': { weighted_clusters: { clusters: [{ name: 'app', weight: 0 }, other] } },
  '/w/unknown-503': { cluster: 'unknown' },
  '/w/unknown-404': { cluster: 'unknown', cluster_not_found_response_code: 'NOT_FOUND' },
  '/w/unknown-500': { cluster: 'unknown', cluster_not_found_response_code: 'INTERNAL_SERVER_ERROR' },
};

const html = { header: { key: 'content-type', value: 'text/html' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
const direct = (path: string, status: number, text?: string): Json => ({
  name: path,
  match: { prefix: path },
  direct_response: { status, ...(text === undefined ? {} : { body: { inline_string: text } }) },
});
const made = (path: string, format: Json): Json => ({
  name: path,
  match: { prefix: path },
  direct_response: { status: 200, body: { inline_string: 'body' }, body_format: format },
});
const query = (name: string, matcher: Json): Json => ({ prefix: '/q', query_parameters: [{ name, ...matcher }] });
const fraction = (numerator: number): Json => ({
  prefix: '/fraction',
  runtime_fraction: { default_value: { numerator } },
});

const kinds: readonly Json[] = [
  to('exact', { path: '/exact' }),
  to('exact-any-case', { path: '/Exact-Case', case_sensitive: false }),
  to('separated', { path_separated_prefix: '/sep' }),
  to('regex', { safe_regex: { regex: '/re/[a-z]+' } }),
  to('prefix', { prefix: '/pre' }),
  to('prefix-any-case', { prefix: '/PRE-case', case_sensitive: false }),
  to('query-exact', query('a', { string_match: { exact: '1' } })),
  to('query-present', query('b', { present_match: true })),
  to('query-regex', query('c', { string_match: { safe_regex: { regex: '\\d+' } } })),
  to('never', fraction(0)),
  to('always', fraction(100)),
  to('grpc', { prefix: '/grpc', grpc: {} }),
  direct('/direct', 418, 'short and stout'),
  direct('/empty', 204),
  made('/made/text', { text_format_source: { inline_string: '<%LOCAL_REPLY_BODY%> %REQ(x-host)% %RESPONSE_CODE%' } }),
  made('/made/json', { json_format: { body: '%LOCAL_REPLY_BODY%', host: '%REQ(x-host)%', none: '%REQ(x-none)%' } }),
  made('/made/type', { content_type: 'a/b', text_format_source: { inline_string: '%RESPONSE_CODE_DETAILS%' } }),
  { ...made('/made/kept/', { text_format_source: { inline_string: 'x' } }), response_headers_to_add: [html] },
  { ...made('/made/own', { content_type: 'a/b', text_format: 'x' }), response_headers_to_add: [html] },
  { ...made('/made/kept-json', { json_format: { a: 'b' } }), response_headers_to_add: [html] },
  made('/made/nothing', { omit_empty_values: true, text_format_source: { inline_string: '%REQ(x-none)%' } }),
  { ...direct('/ok', 200, 'fine'), response_headers_to_add: [html] },
  ...Object.entries(headerMatchers).map(([name, matcher]) =>
    to(`header-${name}`, {
      prefix: '/h',
      headers: [
        { name: 'x-want', ...matcher },
        { name: 'x-case', string_match: { exact: name } },
      ],
    }),
  ),
  ...Object.entries(cookieMatchers).map(([name, matcher]) =>
    to(`cookie-${name}`, {
      prefix: '/k',
      cookies: [{ name: 'k', ...matcher }],
      headers: [{ name: 'x-case', string_match: { exact: name } }],
    }),
  ),
  ...Object.entries(redirects).map(([path, redirect]) => ({ name: path, match: { prefix: path }, redirect })),
  ...Object.entries(rewrites).map(([path, action]) => to(path, { prefix: path }, action)),
];

const template = (path: string, rewrite?: string): Json => {
  const type = 'type.googleapis.com/envoy.extensions.path';
  const match = {
    name: 'envoy.path.match.uri_template.uri_template_matcher',
    typed_config: { '@type': `${type}.match.uri_template.v3.UriTemplateMatchConfig`, path_template: path },
  };
  const action = {
    cluster: 'app',
    path_rewrite_policy: {
      name: 'envoy.path.rewrite.uri_template.uri_template_rewriter',
      typed_config: {
        '@type': `${type}.rewrite.uri_template.v3.UriTemplateRewriteConfig`,
        path_template_rewrite: rewrite,
      },
    },
  };
  return to(path, { path_match_policy: match }, rewrite === undefined ? undefined : action);
};

const templates: readonly Json[] = [
  template('/one/*/end'),
  template('/two/{a}/{b}.mp4', '/{b}/1{a}2/x'),
  template('/all/{rest=**}', '/new/{rest}'),
  template('/in/{v=x/*/y}/*', '/{v}'),
  template('/any/**.m4s'),
  template('/slash/*/'),
  template('/$+/(a)', '/literal'),
  template('/**/last'),
];
const templatePaths =
  '/one/a/end /one/a/b/end /one//end /one/a%20b/end /one/a=b/end /one/a/end?q=1 /ONE/a/end /two/a/b.mp4?q=1 /two/a/b.c.mp4 ' +
  '/two/a/.mp4 /two/a/bXmp4 /all/ /all/a/b/c?q /all /in/x/1/y/z /in/x/1/2/y/z /any/a/b.m4s /any/.m4s /any/b.m4 /slash/a/ ' +
  '/slash/a /$+/(a) /$$/(a) /last /a/last /a/b/last?q /a/*/last /a/lasting';

const domains = [
  host('exact', ['exact.example']),
  host('port', ['port.example:81']),
  host('suffix', ['*.suffix.example']),
  host('longer', ['*.b.suffix.example']),
  host('prefix', ['prefix.*']),
  { ...host('tls', ['tls.example']), require_tls: 'ALL' },
  host('kinds', ['kinds.example'], kinds),
  host('templates', ['templates.example'], templates),
];
const hosts = [
  'exact.example',
  'EXACT.example',
  'exact.example:99',
  'port.example:81',
  'port.example',
  'a.suffix.example',
  'a.b.suffix.example',
  '.suffix.example',
  'suffix.example',
  'prefix.x',
  'prefix.',
  'nobody.example',
];
const paths =
  '/exact /exact/ /exact?q /EXACT-CASE /sep /sep/a /sepa /sep?x /re/abc /re/abc1 /re/abc?q=1 /prefixed /pre-CASE /q?a=1 ' +
  '/q?a=2&b /q?c=12 /q?c=x /q /fraction /grpc /direct /direct?x /empty /ok';
const values = ['a', 'ab', 'ba', 'A', '7', '10', '-5', 'x', ''];
const at = (name: string, ...fields: string[]): string[] => [`Host: ${name}`, ...fields];
const kind = (path: string, ...fields: string[]): string => requestOf('GET', path, at('kinds.example', ...fields));
const withBody = (path: string): string => `${requestOf('POST', path, at('kinds.example', 'Content-Length: 3'))}abc`;

export const routes: Suite = {
  name: 'routes',
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', { name: 'routes', validate_clusters: false, virtual_hosts: domains }),
        httpListener('ports', {
          name: 'ports',
          ignore_port_in_host_matching: true,
          virtual_hosts: [host('exact', ['exact.example'])],
        }),
      ],
      [cluster('app', [origin]), cluster('other', [origin])],
    ),
  cases: [
    ...hosts.map((name) => ({ name: `host ${name}`, send: requestOf('GET', '/', at(name)) })),
    { name: 'the port of the host ignored', listener: 'ports', send: requestOf('GET', '/', at('exact.example:99')) },
    { name: 'TLS required', send: requestOf('GET', '/x?y', at('tls.example')) },
    { name: 'TLS said to be there', send: requestOf('GET', '/', at('tls.example', 'X-Forwarded-Proto: https')) },
    ...paths.split(' ').map((path) => ({ name: `path ${path}`, send: kind(path) })),
    ...templatePaths.split(' ').map((path) => ({
      name: `template ${path}`,
      send: requestOf('GET', path, at('templates.example')),
    })),
    { name: 'a gRPC request', send: kind('/grpc/S/M', 'Content-Type: application/grpc') },
    ...Object.keys(headerMatchers).flatMap((name) => [
      ...values.map((value) => ({
        name: `header ${name} of ${value}`,
        send: kind('/h', `X-Case: ${name}`, `X-Want: ${value}`),
      })),
      { name: `header ${name} without it`, send: kind('/h', `X-Case: ${name}`) },
      { name: `header ${name} twice`, send: kind('/h', `X-Case: ${name}`, 'X-Want: a', 'X-Want: b') },
    ]),
    ...Object.keys(cookieMatchers).flatMap((name) => [
      ...(/exact|empty|inverted/.test(name) ? cookieFields : cookieFields.slice(0, 4)).map((field) => ({
        name: `cookie ${name} in ${JSON.stringify(field)}`,
        send: kind('/k', `X-Case: ${name}`, `Cookie: ${field}`),
      })),
      { name: `cookie ${name} without it`, send: kind('/k', `X-Case: ${name}`) },
      { name: `cookie ${name} in two fields`, send: kind('/k', `X-Case: ${name}`, 'Cookie: k=b', 'Cookie: k=a') },
    ]),
    ...Object.keys(redirects).map((path) => ({
      name: `redirect ${path}`,
      send: kind(`${path}/more?q=1`, 'X-Host: h.example'),
    })),
    { name: 'redirect to a port with a port', send: requestOf('GET', '/r/port', at('kinds.example:81')) },
    { name: 'redirect of a POST', send: withBody('/r/307') },
    ...Object.keys(rewrites).map((path) => ({
      name: `rewrite ${path}`,
      send: kind(`${path}/more?q=1`, 'X-Host: h.example', 'X-Cluster: other', 'X-Sticky: 4'),
    })),
    ...['0', '2', '3', '6', '7', '18446744073709551615', '+10'].map((value) => ({
      name: `cluster by the number ${value}`,
      send: kind('/w/sticky', `X-Sticky: ${value}`),
    })),
    ...['text', 'json', 'type', 'kept', 'own', 'kept-json', 'nothing'].map((name) => ({
      name: `a direct response made of a format: ${name}`,
      send: kind(`/made/${name}/`, 'X-Host: h.example'),
    })),
    { name: 'a direct response of a format, gRPC', send: kind('/made/text', 'Content-Type: application/grpc') },
    { name: 'rewrite of exactly the prefix', send: kind('/w/prefix') },
    { name: 'rewrite of a prefix to a slash', send: kind('/w/slash/') },
    { name: 'a cluster header that is missing', send: kind('/w/cluster-header') },
    { name: 'a cluster header that names nothing known', send: kind('/w/cluster-header', 'X-Cluster: nobody') },
    { name: 'a host header that is missing', send: kind('/w/header') },
    { name: 'a direct response to a HEAD', send: requestOf('HEAD', '/direct', at('kinds.example')) },
    { name: 'a direct response to a POST', send: withBody('/direct') },
  ],
};
