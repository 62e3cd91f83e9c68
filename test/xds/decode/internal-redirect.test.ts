import t from 'tap';
import { decodeInternalRedirect } from '../../../xds/decode/internal-redirect.ts';
import type { InternalRedirectPolicy } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const extensions = 'envoy.extensions.internal_redirect';

function policy(yaml: string) {
  return decodedAs('envoy.config.route.v3.InternalRedirectPolicy', yaml, (message: InternalRedirectPolicy, problems) =>
    decodeInternalRedirect(message, problems),
  );
}
const predicate = (type: string, fields = '') => `{name: p, typed_config: {"@type": a/${extensions}.${type}${fields}}}`;

t.test("Envoy's defaults: one redirect, of status 302, within a scheme", async (t) => {
  t.same(policy('{}').value, {
    maxRedirects: 1,
    statuses: [302],
    predicates: [],
    allowCrossScheme: false,
    headersToCopy: [],
  });
});

t.test('what a policy sets; statuses that are no redirects are never followed', async (t) => {
  t.same(
    policy(
      '{max_internal_redirects: 0, redirect_response_codes: [301, 200, 308], allow_cross_scheme_redirect: true, response_headers_to_copy: [X-A, b]}',
    ).value,
    { maxRedirects: 0, statuses: [301, 308], predicates: [], allowCrossScheme: true, headersToCopy: ['x-a', 'b'] },
  );
  t.same(policy('{redirect_response_codes: [200]}').value?.statuses, [], 'none, and not the default');
});

t.test('predicates, in their order', async (t) => {
  const predicates = [
    predicate('previous_routes.v3.PreviousRoutesConfig'),
    predicate('allow_listed_routes.v3.AllowListedRoutesConfig', ', allowed_route_names: [a, b]'),
    predicate('allow_listed_routes.v3.AllowListedRoutesConfig'),
    predicate('safe_cross_scheme.v3.SafeCrossSchemeConfig'),
  ].join();
  t.same(policy(`{predicates: [${predicates}]}`).value?.predicates, [
    { kind: 'previous-routes' },
    { kind: 'allow-listed-routes', names: ['a', 'b'] },
    { kind: 'allow-listed-routes', names: [] },
    { kind: 'safe-cross-scheme' },
  ]);
});

t.test('what is wrong is named with its place', async (t) => {
  for (const [yaml, problem] of [
    ['{response_headers_to_copy: [a, ":path"]}', /^response_headers_to_copy\[1\]: :path may not be modified/],
    ['{response_headers_to_copy: [Host]}', /^response_headers_to_copy\[0\]: Host may not be modified/],
    ['{response_headers_to_copy: [content-length]}', /^response_headers_to_copy\[0\]: modifying content-length is not/],
    ['{redirect_response_codes: [301, 302, 303, 307, 308, 300]}', /^redirect_response_codes: /],
    [
      `{predicates: [${predicate('previous_routes.v3.PreviousRoutesConfig')}, {name: p, typed_config: {"@type": a/envoy.config.core.v3.Pipe, path: /p}}]}`,
      /^predicates\[1\].typed_config: internal redirect predicate a\/envoy.config.core.v3.Pipe is not supported/,
    ],
    [
      `{predicates: [${predicate('allow_listed_routes.v3.AllowListedRoutesConfig', ', allowed_route_names: [""]')}]}`,
      /allowed_route_names\[0\]/,
    ],
  ] as const) {
    t.matchOnly(policy(yaml).problems, [problem], yaml);
  }
  t.matchOnly(policy('{predicates: [{name: p}]}').problems, [
    /^predicates\[0\].typed_config: typed_config is required$/,
    /^predicates\[0\].typed_config: typed_config is required: it says which internal redirect predicate this is/,
  ]);
});
