// Route configurations, virtual hosts, routes.

import { type ConfigCase, envoyRefuses, oursRefuses, refuses, takes } from './config-case.ts';
import * as at from './config-place.ts';

const pathExtensions = 'type.googleapis.com/envoy.extensions.path';
const templateOf = (template: string) =>
  `path_match_policy: {name: m, typed_config: {"@type": ${pathExtensions}.match.uri_template.v3.UriTemplateMatchConfig, path_template: "${template}"}}`;
const rewriter = (rewrite: string) =>
  `{name: r, typed_config: {"@type": ${pathExtensions}.rewrite.uri_template.v3.UriTemplateRewriteConfig, path_template_rewrite: "${rewrite}"}}`;
const rewriteOf = (template: string, rewrite: string) =>
  `match: {${templateOf(template)}}, route: {cluster: c, path_rewrite_policy: ${rewriter(rewrite)}}`;

export const routeCases: readonly ConfigCase[] = [
  takes(at.forward, 'timeout: 0s'),
  refuses(at.forward, 'timeout: -1s', 'route.timeout: must not be negative, got -1s'),
  refuses(at.routeMatch, 'prefix: /, path: /a', 'match.path: only one of prefix and path may be set'),
  refuses(
    at.routeMatch,
    'case_sensitive: false',
    'routes[0].match: one of prefix, path, safe_regex, connect_matcher, path_separated_prefix, path_match_policy is required',
  ),
  refuses(
    at.route,
    'match: {prefix: /}, redirect: {}, direct_response: {status: 200}',
    'routes[0].direct_response: only one of redirect and direct_response may be set',
  ),
  refuses(
    at.route,
    'match: {prefix: /}',
    'virtual_hosts[0].routes[0]: one of route, redirect, direct_response is required',
  ),
  refuses(at.route, 'route: {cluster: c}', 'routes[0].match: match is required'),
  refuses(at.forward, 'cluster_header: x', 'route.cluster_header: only one of cluster and cluster_header may be set'),
  takes(at.routeMatch, 'prefix: /, path: null'),
  takes(
    at.route,
    'match: {prefix: /}, route: {weighted_clusters: {total_weight: 5, clusters: [{weight: 1, name: c}]}}',
  ),
  takes(
    at.routeConfiguration,
    'validate_clusters: false, virtual_hosts: [{name: v, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: nowhere}}]}]',
  ),
  takes(at.routeConfiguration, 'virtual_hosts: [{name: v, domains: [a]}, {name: v, domains: [b]}]'),
  refuses(
    at.routeConfiguration,
    'virtual_hosts: [{name: v, domains: [a]}, {name: w, domains: [a]}]',
    'virtual_hosts[1].domains[0]: domain "a" exists already: virtual_hosts[0].domains[0]',
  ),
  refuses(
    at.routeConfiguration,
    'virtual_hosts: [{name: v, domains: [a]}, {name: w, domains: [A]}]',
    'virtual_hosts[1].domains[0]: domain "a" exists already: virtual_hosts[0].domains[0]',
  ),
  refuses(at.routeConfiguration, 'virtual_hosts: [{domains: [a]}]', 'virtual_hosts[0].name: name is required'),
  refuses(
    at.virtualHost,
    'request_headers_to_remove: ["host"]',
    'virtual_hosts[0].request_headers_to_remove[0]: host may not be modified; use a path or host rewrite',
  ),
  refuses(
    at.virtualHost,
    'request_headers_to_remove: [":path"]',
    'virtual_hosts[0].request_headers_to_remove[0]: :path may not be modified; use a path or host rewrite',
  ),
  refuses(
    at.virtualHost,
    'request_headers_to_remove: [":authority"]',
    'virtual_hosts[0].request_headers_to_remove[0]: :authority may not be modified; use a path or host rewrite',
  ),
  refuses(
    at.virtualHost,
    'request_headers_to_remove: [":status"]',
    'virtual_hosts[0].request_headers_to_remove[0]: :status may not be modified; use a path or host rewrite',
  ),
  oursRefuses(
    at.virtualHost,
    'request_headers_to_remove: ["content-length"]',
    'virtual_hosts[0].request_headers_to_remove[0]: modifying content-length is not supported; it belongs to the',
  ),
  oursRefuses(
    at.virtualHost,
    'request_headers_to_remove: ["connection"]',
    'virtual_hosts[0].request_headers_to_remove[0]: modifying connection is not supported; it belongs to the',
  ),
  refuses(
    at.virtualHost,
    'request_headers_to_remove: [""]',
    'virtual_hosts[0].request_headers_to_remove[0]: must not be empty',
  ),
  oursRefuses(
    at.virtualHost,
    'request_headers_to_remove: ["x a"]',
    'virtual_hosts[0].request_headers_to_remove[0]: "x a" is not a header name',
  ),
  takes(at.virtualHost, 'request_headers_to_remove: ["X-A"]'),
  refuses(
    at.virtualHost,
    'response_headers_to_remove: [host]',
    'virtual_hosts[0].response_headers_to_remove[0]: host may not be modified; use a path or host rewrite',
  ),
  refuses(
    at.virtualHost,
    'response_headers_to_remove: [":status"]',
    'virtual_hosts[0].response_headers_to_remove[0]: :status may not be modified; use a path or host rewrite',
  ),
  takes(at.directResponse, 'status: 200, body: {inline_string: hi}'),
  refuses(at.directResponse, 'body: {inline_string: hi}', 'direct_response.status: status is required'),
  refuses(at.directResponse, 'status: 199', 'direct_response.status: must be at least 200, got 199'),
  refuses(at.directResponse, 'status: 600', 'direct_response.status: must be less than 600, got 600'),
  refuses(
    at.directResponse,
    'status: 200, body: {inline_bytes: "a*b"}',
    'body.inline_bytes: expected base64 text, got something else',
  ),
  refuses(
    at.directResponse,
    'status: 200, body: {inline_bytes: aGk=, inline_string: a}',
    'body.inline_string: only one of inline_bytes and inline_string may be set',
  ),
  takes(at.directResponse, 'status: 200, body_format: {text_format_source: {inline_string: "%REQ(a)%"}}'),
  refuses(
    at.directResponse,
    'status: 200, body_format: {text_format_source: {inline_string: "%NOPE%"}}',
    'direct_response.body_format.text_format_source: %NOPE% is not a supported command',
  ),
  ...['/', '/a/*/{b}.c', '/{v=a/**}/b/', "/a-._~%!$&'()+,;:@"].map((template) =>
    takes(at.routeMatch, templateOf(template)),
  ),
  ...['a', '//', '/a//b', '/**/*', '/**/{b}', '/{a}{b}', '/*a/b', '/{a', '/{}', '/{1}', '/{a}/{a}', '/{a=}', '/{a=*/}']
    .concat(['/{a}/{b}/{c}/{d}/{e}/{f}', '/{abcdefghijklmnopq}', '/a b', '/a}'])
    .map((template) => refuses(at.routeMatch, templateOf(template), 'is not a path template')),
  ...['/a*', '/{a=b*}', '/***', '/a{b}', '/{a}.b/c'].map((template) =>
    oursRefuses(at.routeMatch, templateOf(template), 'is not a path template'),
  ),
  ...['/{b}', '/x{a}y/{b}', '/', '/*'].map((rewrite) => takes(at.route, rewriteOf('/{a}/{b=**}', rewrite))),
  ...['/{c}', 'x', '//', '/{a', '/a}', '/a b', '/{}'].map((rewrite) =>
    refuses(at.route, rewriteOf('/{a}', rewrite), 'is not a rewrite of paths'),
  ),
  refuses(at.forward, `path_rewrite_policy: ${rewriter('/a')}`, 'it needs a path_match_policy of the route'),
  refuses(
    at.route,
    rewriteOf('/{a}', '/b').replace('cluster: c', 'cluster: c, prefix_rewrite: /a'),
    'path_rewrite_policy: it may not be set beside prefix_rewrite, regex_rewrite or path_rewrite',
  ),
  takes(at.forward, 'path_rewrite: "/%REQ(a)%", host_rewrite: "%REQ(a)%"'),
  takes(at.forward, 'path_rewrite: "", prefix_rewrite: /a'),
  refuses(
    at.forward,
    'path_rewrite: /a, prefix_rewrite: /b',
    'route.path_rewrite: only one of prefix_rewrite and path_rewrite may be set',
  ),
  refuses(at.forward, 'path_rewrite: "%NOPE%"', 'route.path_rewrite: %NOPE% is not a supported command'),
  refuses(
    at.forward,
    'host_rewrite: a, host_rewrite_literal: b',
    'route.host_rewrite_literal: only one of host_rewrite and host_rewrite_literal may be set',
  ),
  takes(at.redirect, 'path_rewrite: "/%REQ(a)%"'),
  refuses(
    at.redirect,
    'path_rewrite: /a, path_redirect: /b',
    'redirect.path_redirect: only one of path_rewrite and path_redirect may be set',
  ),
  takes(
    at.route,
    'match: {prefix: /}, route: {weighted_clusters: {header_name: x-sticky, clusters: [{weight: 1, name: c}]}}',
  ),
  refuses(
    at.routeMatch,
    'safe_regex: {regex: "("}',
    'safe_regex.regex: "(" is not an RE2 regular expression: error parsing regexp: missing closing ): `(`',
  ),
  refuses(
    at.routeMatch,
    'safe_regex: {regex: "(?=a)"}',
    'safe_regex.regex: "(?=a)" is not an RE2 regular expression: error parsing regexp: invalid or unsupported Perl',
  ),
  takes(at.routeMatch, 'path: "/a?b"'),
  takes(at.routeMatch, 'prefix: a'),
  refuses(
    at.routeMatch,
    'path_separated_prefix: /a/',
    'match.path_separated_prefix: "/a/" does not match ^[^?#]+[^?#/]$',
  ),
  refuses(at.routeMatch, 'path_separated_prefix: /', 'match.path_separated_prefix: "/" does not match ^[^?#]+[^?#/]$'),
  takes(
    at.forward,
    'retry_policy: {rate_limited_retry_back_off: {reset_headers: [{name: Retry-After}, {name: a, format: UNIX_TIMESTAMP}]}}',
  ),
  refuses(
    at.forward,
    'retry_policy: {rate_limited_retry_back_off: {}}',
    'rate_limited_retry_back_off.reset_headers: reset_headers is required',
  ),
  refuses(
    at.forward,
    'retry_policy: {rate_limited_retry_back_off: {reset_headers: [{format: SECONDS}]}}',
    'reset_headers[0].name: name is required',
  ),
  refuses(
    at.forward,
    'retry_policy: {rate_limited_retry_back_off: {reset_headers: [{name: a}], max_interval: 0s}}',
    'rate_limited_retry_back_off.max_interval: must be more than 0s, got 0s',
  ),
  takes(at.headerMatch, 'range_match: {start: 1, end: 3}'),
  takes(at.headerMatch, 'exact_match: a'),
  refuses(at.headerMatch, 'prefix_match: ""', 'headers[0].prefix_match: must not be empty'),
  refuses(at.headerMatch, 'string_match: {prefix: ""}', 'string_match.prefix: must not be empty'),
  refuses(
    at.headerMatch,
    'string_match: {}',
    'headers[0].string_match: one of exact, prefix, suffix, safe_regex, contains is required',
  ),
  refuses(
    at.headerMatch,
    'string_match: {prefix: a, exact: b}',
    'string_match.exact: only one of prefix and exact may be set',
  ),
  refuses(
    at.headerMatch,
    'present_match: true, exact_match: a',
    'headers[0].exact_match: only one of present_match and exact_match may be set',
  ),
  refuses(
    at.headerMatch,
    'string_match: {safe_regex: {regex: "["}}',
    'safe_regex.regex: "[" is not an RE2 regular expression: error parsing regexp: missing closing ]: `[`',
  ),
  refuses(
    at.headerMatch,
    'string_match: {safe_regex: {regex: "a"}, ignore_case: true}',
    'string_match.ignore_case: has no effect on safe_regex; write (?i) at the start of the regex',
  ),
  refuses(at.routeMatch, 'prefix: /, headers: [{exact_match: a}]', 'headers[0].name: name is required'),
  oursRefuses(
    at.routeMatch,
    'prefix: /, headers: [{name: "a b", exact_match: a}]',
    'headers[0].name: "a b" is not a header name',
  ),
  oursRefuses(
    at.routeMatch,
    'prefix: /, query_parameters: [{name: a, present_match: false}]',
    'query_parameters[0].present_match: false is not supported; use string_match',
  ),
  takes(at.routeMatch, 'prefix: /, query_parameters: [{name: a}]'),
  takes(
    at.routeMatch,
    'prefix: /, runtime_fraction: {default_value: {numerator: 5, denominator: MILLION}, runtime_key: a}',
  ),
  refuses(
    at.routeMatch,
    'prefix: /, runtime_fraction: {runtime_key: a}',
    'runtime_fraction.default_value: default_value is required',
  ),
  refuses(
    at.forward,
    'prefix_rewrite: /, regex_rewrite: {pattern: {regex: a}, substitution: b}',
    'route.regex_rewrite: only one of prefix_rewrite and regex_rewrite may be set',
  ),
  oursRefuses(
    at.forward,
    "regex_rewrite: {pattern: {regex: a}, substitution: '\\1'}",
    'regex_rewrite.substitution: \\1 names a group that the pattern does not have; it has 0',
  ),
  refuses(at.forward, 'regex_rewrite: {substitution: b}', 'regex_rewrite.pattern: pattern is required'),
  refuses(
    at.forward,
    'host_rewrite_literal: a, auto_host_rewrite: true',
    'route.auto_host_rewrite: only one of host_rewrite_literal and auto_host_rewrite may be set',
  ),
  takes(at.forward, 'auto_host_rewrite: true'),
  refuses(
    at.forward,
    'host_rewrite_literal: "a\\r\\nb"',
    'route.host_rewrite_literal: must not hold line breaks or zero bytes',
  ),
  refuses(at.forward, 'prefix_rewrite: "/a\\r\\nb"', 'route.prefix_rewrite: must not hold line breaks or zero bytes'),
  oursRefuses(
    at.forward,
    'retry_policy: {retry_on: 6xx}',
    'retry_policy.retry_on: "6xx" is not a retry condition; did you mean 5xx?',
  ),
  takes(at.forward, 'retry_policy: {retry_on: "5xx, reset"}'),
  refuses(
    at.forward,
    'retry_policy: {retry_back_off: {base_interval: 1s, max_interval: 0.5s}}',
    'retry_back_off.max_interval: must not be less than base_interval',
  ),
  refuses(at.forward, 'retry_policy: {retry_back_off: {}}', 'retry_back_off.base_interval: base_interval is required'),
  takes(
    at.forward,
    'retry_policy: {retry_host_predicate: [{name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate}}]}',
  ),
  refuses(
    at.forward,
    'retry_policy: {retry_host_predicate: [{name: envoy.retry_host_predicates.previous_hosts}]}',
    'retry_host_predicate[0].typed_config: typed_config is required: it says which retry host predicate this is',
  ),
  takes(at.forward, 'retry_policy: {num_retries: 0}'),
  refuses(
    at.forward,
    'upgrade_configs: [{upgrade_type: websocket}, {upgrade_type: WebSocket}]',
    'upgrade_configs[1].upgrade_type: WebSocket exists already',
  ),
  oursRefuses(
    at.forward,
    'cors: {}',
    'route.cors: cors is not supported; write typed_per_filter_config with envoy.extensions.filters.http.cors.v3.CorsPolicy',
  ),
  oursRefuses(
    at.forward,
    'request_mirror_policies: [{cluster: c}]',
    'route.request_mirror_policies: request_mirror_policies is not supported; request mirroring is not offered: leave it out (in Istio, mirror and mirrors of the VirtualService)',
  ),
  takes(at.forward, 'hash_policy: [{header: {header_name: a}}]'),
  envoyRefuses(at.forward, 'hash_policy: [{}]', 'nobody reads it, and what is in it is not looked at'),
  takes(
    at.redirect,
    'https_redirect: true, host_redirect: a, port_redirect: 443, path_redirect: /x, response_code: FOUND, strip_query: true',
  ),
  refuses(
    at.redirect,
    'https_redirect: true, scheme_redirect: http',
    'redirect.scheme_redirect: only one of https_redirect and scheme_redirect may be set',
  ),
  refuses(
    at.redirect,
    'path_redirect: /a, prefix_rewrite: /b',
    'redirect.prefix_rewrite: only one of path_redirect and prefix_rewrite may be set',
  ),
  takes(at.redirect, 'https_redirect: false'),
  takes(at.redirect, 'port_redirect: 70000'),
  refuses(
    at.redirect,
    'response_code: 301',
    'redirect.response_code: 301 is not a value of this field; expected one of MOVED_PERMANENTLY, FOUND,',
  ),
  refuses(at.redirect, 'path_redirect: "/a\\r\\nb"', 'redirect.path_redirect: must not hold line breaks or zero bytes'),
  refuses(
    at.virtualHost,
    'typed_per_filter_config: {a: {"@type": type.googleapis.com/no.such}}',
    'virtual_hosts[0].typed_per_filter_config["a"]: filter configuration type.googleapis.com/no.such is not',
  ),
  takes(
    at.virtualHost,
    'typed_per_filter_config: {router: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}',
  ),
  takes(
    at.virtualHost,
    'typed_per_filter_config: {nobody: {"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}',
  ),
  takes(at.routeMatch, 'connect_matcher: {}'),
  takes(at.routeConfiguration, 'internal_only_headers: [""]'),
  takes(at.forward, 'host_rewrite_header: ""'),
  takes(at.route, 'match: {safe_regex: {regex: /a}}, route: {cluster: c, prefix_rewrite: /b}'),
  takes(at.virtualHost, 'retry_policy: {retry_on: 5xx}'),
];
