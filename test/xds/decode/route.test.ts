import t from 'tap';
import { decodeRouteConfiguration } from '../../../xds/decode/route.ts';
import type { RouteConfiguration } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const configuration = (yaml: string) =>
  decodedAs('envoy.config.route.v3.RouteConfiguration', yaml, (message: RouteConfiguration, problems) =>
    decodeRouteConfiguration(message, problems),
  );
const host = (fields: string) => configuration(`{virtual_hosts: [{name: a, domains: ["*"], ${fields}}]}`);
const match = (yaml: string) => {
  const { value, problems } = host(`routes: [{match: ${yaml}, redirect: {}}]`);
  return { match: value.virtualHosts[0]?.routes[0]?.match, problems };
};
const none = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

t.test('an empty route configuration has the defaults', async (t) => {
  t.same(configuration('{}').value, {
    name: '',
    virtualHosts: [],
    headers: none,
    internalOnlyHeaders: [],
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching: false,
    maxDirectResponseBodyBytes: 4096,
  });
});

t.test('what a route configuration sets', async (t) => {
  const { value } = configuration(
    '{name: r, internal_only_headers: [X-A], most_specific_header_mutations_wins: true, ignore_port_in_host_matching: true, max_direct_response_body_size_bytes: 5, request_headers_to_remove: [b]}',
  );
  t.match(value, {
    name: 'r',
    internalOnlyHeaders: onlyItems('x-a'),
    mostSpecificHeaderMutationsWins: true,
    ignorePortInHostMatching: true,
    maxDirectResponseBodyBytes: 5,
    headers: { requestRemove: onlyItems('b') },
  });
});

t.test('virtual hosts', async (t) => {
  t.same(host('routes: []').value.virtualHosts, [
    {
      name: 'a',
      domains: ['*'],
      routes: [],
      requireTls: 'none',
      headers: none,
      includeRequestAttemptCount: false,
      includeAttemptCountInResponse: false,
      perFilterConfig: {},
    },
  ]);
  t.match(
    host(
      'require_tls: EXTERNAL_ONLY, include_request_attempt_count: true, include_attempt_count_in_response: true, retry_policy: {num_retries: 4}',
    ).value.virtualHosts[0],
    {
      requireTls: 'external-only',
      includeRequestAttemptCount: true,
      includeAttemptCountInResponse: true,
      retryPolicy: { numRetries: 4 },
    },
  );
  t.match(configuration('{virtual_hosts: [{name: a, domains: [A.Example, "*.B", "c.*"]}]}').value.virtualHosts[0], {
    domains: onlyItems('a.example', '*.b', 'c.*'),
  });
});

t.test('what all virtual hosts say of filters', async (t) => {
  const config = '{f: {"@type": a/envoy.config.route.v3.FilterConfig, disabled: true}}';
  t.same(configuration(`{name: r, typed_per_filter_config: ${config}}`).value.perFilterConfig, {
    f: { disabled: true },
  });
  t.notOk('perFilterConfig' in configuration('{name: r}').value);
  t.matchOnly(
    configuration('{typed_per_filter_config: {f: {"@type": a/envoy.config.core.v3.Pipe, path: /p}}}').problems,
    [/^typed_per_filter_config\["?f"?\]: filter configuration a\/envoy.config.core.v3.Pipe is not supported/],
  );
});

t.test('cookies of a match', async (t) => {
  const match = (cookies: string) => host(`routes: [{match: {prefix: /, cookies: [${cookies}]}, redirect: {}}]`);
  t.same(
    match('{name: K, string_match: {exact: a}}, {name: b, string_match: {prefix: x}, invert_match: true}').value
      .virtualHosts[0]?.routes[0]?.match.cookies,
    [
      { name: 'K', matcher: { kind: 'exact', value: 'a', ignoreCase: false }, invert: false },
      { name: 'b', matcher: { kind: 'prefix', value: 'x', ignoreCase: false }, invert: true },
    ],
  );
  const place = 'virtual_hosts[0].routes[0].match.cookies[0]';
  for (const [cookie, problem] of [
    ['{name: a}', 'string_match: string_match is required'],
    ['{string_match: {exact: a}}', 'name: '],
    ['{name: a, string_match: {safe_regex: {regex: "("}}}', 'string_match.safe_regex'],
  ] as const) {
    const { problems } = match(cookie);
    t.equal(problems.length, 1, cookie);
    t.ok(problems[0]!.startsWith(`${place}.${problem}`), problems.join());
  }
});

t.test('domains are unique, names of virtual hosts need not be', async (t) => {
  const { problems } = configuration('{virtual_hosts: [{name: a, domains: [x, X]}, {name: a, domains: ["x"]}]}');
  t.same(problems, [
    'virtual_hosts[0].domains[1]: domain "x" exists already: virtual_hosts[0].domains[0]',
    'virtual_hosts[1].domains[0]: domain "x" exists already: virtual_hosts[0].domains[0]',
  ]);
  t.same(configuration('{virtual_hosts: [{name: a}]}').problems, ['virtual_hosts[0].domains: domains is required']);
});

t.test('routes', async (t) => {
  const { value } = host(
    'routes: [{name: r, stat_prefix: s, match: {prefix: /}, redirect: {}, metadata: {filter_metadata: {n: {k: v}}}, response_headers_to_remove: [x], typed_per_filter_config: {f: {"@type": a/envoy.config.route.v3.FilterConfig, disabled: true}}}]',
  );
  t.match(value.virtualHosts[0]?.routes[0], {
    name: 'r',
    statPrefix: 's',
    metadata: { n: { k: 'v' } },
    headers: { responseRemove: onlyItems('x') },
    perFilterConfig: { f: { disabled: true } },
    action: { kind: 'redirect' },
  });
});

t.test('matches', async (t) => {
  const paths: readonly [yaml: string, path: object][] = [
    ['{prefix: ""}', { kind: 'prefix', value: '' }],
    ['{path: /a}', { kind: 'path', value: '/a' }],
    ['{path_separated_prefix: /a}', { kind: 'path-separated-prefix', value: '/a' }],
    ['{safe_regex: {regex: /a.*}}', { kind: 'regex', regex: '/a.*' }],
    ['{connect_matcher: {}}', { kind: 'connect' }],
  ];
  for (const [yaml, path] of paths) {
    t.same(match(yaml).match, { path, caseSensitive: true, headers: [], queryParameters: [], grpc: false });
  }
  const all =
    '{prefix: /, case_sensitive: false, grpc: {}, headers: [{name: A}], query_parameters: [{name: q}], runtime_fraction: {default_value: {numerator: 1}}}';
  t.match(match(all).match, {
    caseSensitive: false,
    grpc: true,
    headers: onlyItems({ name: 'a' }),
    queryParameters: onlyItems({ name: 'q' }),
    runtimeFraction: { numerator: 1, denominator: 100 },
  });
});

t.test('problems of matches', async (t) => {
  const place = 'virtual_hosts[0].routes[0].match';
  t.same(match('{}').problems, [
    `${place}: one of prefix, path, safe_regex, connect_matcher, path_separated_prefix, path_match_policy is required`,
  ]);
  t.match(match('{path_separated_prefix: /a/}').problems[0], /path_separated_prefix: "\/a\/" does not match/);
  t.match(match('{safe_regex: {regex: "("}}').problems[0], /safe_regex\.regex: /);
  t.match(match('{prefix: /, tls_context: {}}').problems[0], /tls_context is not supported/);
});
