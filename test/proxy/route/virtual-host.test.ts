import fc from 'fast-check';
import t from 'tap';
import type { Route, RouteMatch, VirtualHost } from '../../../config/route.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { pathEnd } from '../../../proxy/route/path-match.ts';
import { CompiledRouteMatch } from '../../../proxy/route/route-match.ts';
import { CompiledVirtualHost } from '../../../proxy/route/virtual-host.ts';
import {
  exactly,
  forwardAction,
  headerMatcher,
  matchContext,
  type RequestParts,
  request,
  route,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../support/route-fixtures.ts';

const context = { suppressEnvoyHeaders: false };

function compiled(options: Partial<VirtualHost>): CompiledVirtualHost {
  return new CompiledVirtualHost(virtualHost(options), routeConfiguration(), context);
}

function routeName(matches: readonly RouteMatch[], parts: RequestParts, draw = 0) {
  const routes = matches.map((match, number) => route({ name: String(number), match }));
  return compiled({ routes }).match(request(parts), matchContext([draw]))?.name ?? null;
}

t.test('a path is matched without its query and fragment', async (t) => {
  const path = (kind: 'prefix' | 'path' | 'path-separated-prefix', value: string) => routeMatch({ kind, value });
  const regex = (value: string) => routeMatch({ kind: 'regex', regex: value });
  for (const [match, target, expected] of [
    [path('prefix', '/a'), '/ab', '0'],
    [path('prefix', '/a'), '/b', null],
    [path('prefix', '/a?x'), '/a?x', null],
    [path('prefix', ''), '/', '0'],
    [path('path', '/a'), '/a?x=1', '0'],
    [path('path', '/a'), '/a#top', '0'],
    [path('path', '/a'), '/a/', null],
    [path('path-separated-prefix', '/a'), '/a', '0'],
    [path('path-separated-prefix', '/a'), '/a/b', '0'],
    [path('path-separated-prefix', '/a'), '/a?q=/b', '0'],
    [path('path-separated-prefix', '/a'), '/ab', null],
    [path('path', '/\u00e9'), '/\u00c3\u00a9', '0'],
    [regex('/a/[0-9]+'), '/a/12?x', '0'],
    [regex('/a/[0-9]+'), '/a/12/b', null],
    [regex('/a.*'), '/abc', '0'],
    [regex('/a.*'), '/b', null],
    [regex('/.'), '/\u00c3\u00a9', '0'],
  ] as const) {
    t.equal(routeName([match], { path: target }), expected, `${JSON.stringify(match.path)} ${target}`);
  }
});

t.test('case can be ignored in literal paths and has no say in expressions', async (t) => {
  const options = { caseSensitive: false };
  t.equal(routeName([routeMatch({ kind: 'prefix', value: '/Shop' }, options)], { path: '/sHOP/1' }), '0');
  t.equal(routeName([routeMatch({ kind: 'path', value: '/Shop' }, options)], { path: '/shop' }), '0');
  t.equal(routeName([routeMatch({ kind: 'path-separated-prefix', value: '/A' }, options)], { path: '/a/b' }), '0');
  t.equal(routeName([routeMatch({ kind: 'regex', regex: '/Shop' }, options)], { path: '/shop' }), null);
});

t.test('the first route that matches is taken, however its path is found', async (t) => {
  const prefix = (value: string, options: Partial<RouteMatch> = {}) => routeMatch({ kind: 'prefix', value }, options);
  const onlyTest = { headers: [headerMatcher('x-test', { kind: 'string', matcher: exactly('1') })] };
  const matches = [
    prefix('/a/b', onlyTest),
    prefix('/a'),
    prefix('/a/b'),
    routeMatch({ kind: 'path', value: '/c' }),
    routeMatch({ kind: 'regex', regex: '/c.*' }),
    prefix('/'),
  ];
  t.equal(routeName(matches, { path: '/a/b' }), '1');
  t.equal(routeName(matches, { path: '/a/b', headers: [['X-Test', '1']] }), '0');
  t.equal(routeName(matches, { path: '/c' }), '3');
  t.equal(routeName(matches, { path: '/cd' }), '4');
  t.equal(routeName(matches, { path: '/d' }), '5');
});

t.test('CONNECT takes only a connect matcher, and that takes nothing else', async (t) => {
  const matches = [routeMatch({ kind: 'prefix', value: '' }), routeMatch({ kind: 'connect' })];
  t.equal(routeName(matches, { method: 'CONNECT', path: '' }), '1');
  t.equal(routeName([matches[0]!], { method: 'CONNECT', path: '' }), null);
  t.equal(routeName([matches[1]!], { path: '/' }), null);
});

t.test('a gRPC route needs a gRPC content type', async (t) => {
  const matches = [routeMatch({ kind: 'prefix', value: '/' }, { grpc: true })];
  for (const [type, expected] of [
    ['application/grpc', '0'],
    ['application/grpc+proto', '0'],
    ['application/grpc-web', null],
    ['application/json', null],
  ] as const) {
    t.equal(routeName(matches, { headers: [['Content-Type', type]] }), expected, type);
  }
  t.equal(routeName(matches, {}), null);
});

t.test('a runtime fraction takes its share, and growing fractions share out one draw', async (t) => {
  const share = (numerator: number) =>
    routeMatch({ kind: 'prefix', value: '/' }, { runtimeFraction: { numerator, denominator: 100, runtimeKey: 'k' } });
  const matches = [share(10), share(30), routeMatch({ kind: 'prefix', value: '/' })];
  t.equal(routeName(matches, {}, 0.099), '0');
  t.equal(routeName(matches, {}, 0.1), '1');
  t.equal(routeName(matches, {}, 0.299), '1');
  t.equal(routeName(matches, {}, 0.3), '2');
  const host = compiled({ routes: [route({ name: 'x', match: share(10) })] });
  t.equal(host.match(request(), matchContext([0.5], new Map([['k', 60]])))?.name, 'x', 'overridden in percent');
  t.equal(host.match(request(), matchContext([0.5])), null);
});

t.test('a virtual host that requires TLS redirects plain requests', async (t) => {
  const location = (requireTls: VirtualHost['requireTls'], parts: RequestParts) => {
    const action = compiled({ requireTls }).match(request(parts), matchContext())!.action;
    return action.kind === 'redirect'
      ? `${action.status} ${action.location(request(parts), new StreamInfo())}`
      : action.kind;
  };
  t.equal(location('all', { path: '/a?b' }), '301 https://shop.example/a?b');
  t.equal(location('all', { headers: [['X-Forwarded-Proto', 'https']] }), 'forward');
  t.equal(location('all', { scheme: 'https', headers: [['X-Forwarded-Proto', 'http']] }), '301 https://shop.example/');
  t.equal(location('external-only', {}), '301 https://shop.example/');
  t.equal(location('external-only', { headers: [['X-Envoy-Internal', 'true']] }), 'forward');
});

t.test('an explanation names the condition that failed at every route before the one taken', async (t) => {
  const routes = [
    route({ name: 'exact', match: routeMatch({ kind: 'path', value: '/x' }) }),
    route({
      match: routeMatch(
        { kind: 'prefix', value: '/' },
        { headers: [headerMatcher('x-user', { kind: 'present', present: true })] },
      ),
    }),
    route({ name: 'rest' }),
    route({ name: 'never' }),
  ];
  const verdicts = compiled({ routes }).explain(request({ path: '/a?b' }), matchContext());
  t.same(
    verdicts.map((verdict) => verdict.route),
    ['exact', 'routes[1]', 'rest'],
  );
  t.equal(verdicts[0]!.rejection, 'path /a does not match path /x');
  t.match(verdicts[1]!.rejection, 'x-user');
  t.equal(verdicts[2]!.rejection, null);
});

t.test('a route that looks at cookies keeps its place in the order, and says why it was not taken', async (t) => {
  const cookies = [{ name: 'user', matcher: exactly('ann'), invert: false }];
  const path = { kind: 'prefix', value: '/' } as const;
  const names = ['ann', 'rest'];
  const host = compiled({
    routes: [routeMatch(path, { cookies }), routeMatch(path)].map((match, index) =>
      route({ name: names[index]!, match }),
    ),
  });
  const asked = (...fields: [string, string][]) =>
    host.match(request({ path: '/', headers: fields }), matchContext())?.name;
  t.equal(asked(['Cookie', 'user=ann']), 'ann');
  t.equal(asked(['Cookie', 'user=bob']), 'rest', 'the cookies of the request before are forgotten');
  t.equal(asked(), 'rest');
  t.equal(asked(['Cookie', 'a=b; user="ann"']), 'ann');
  const explain = (value: string) =>
    host.explain(request({ path: '/', headers: [['Cookie', `user=${value}`]] }), matchContext());
  t.matchOnly(explain('bob'), [
    { route: 'ann', rejection: /^cookie matcher .*"user"/ },
    { route: 'rest', rejection: null },
  ]);
  t.strictSame(explain('ann'), [{ route: 'ann', rejection: null }]);
});

// Few letters, so that paths share prefixes and meet often.
const segment = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 6 }).map((text) => `/${text}`);
const someMatch = fc
  .tuple(fc.constantFrom('prefix', 'path', 'path-separated-prefix', 'regex'), segment, fc.boolean(), fc.boolean())
  .map(([kind, value, caseSensitive, withHeader]) =>
    routeMatch(kind === 'regex' ? { kind, regex: `${value}[ab]*` } : { kind, value }, {
      caseSensitive,
      headers: withHeader ? [headerMatcher('x', { kind: 'present', present: true })] : [],
    }),
  );

t.test('the index finds what trying every route in order finds', async () => {
  fc.assert(
    fc.property(
      fc.array(someMatch, { maxLength: 12 }),
      fc.tuple(segment, fc.constantFrom('', '?a', '#b', '?/a?')),
      fc.boolean(),
      (matches, [path, query], withHeader) => {
        const parts: RequestParts = { path: path + query, headers: withHeader ? [['x', '1']] : [] };
        const head = request(parts);
        const bare = head.path.slice(0, pathEnd(head.path));
        const naive = matches.findIndex((match) =>
          new CompiledRouteMatch(match).matches(head, bare, 0, matchContext()),
        );
        return routeName(matches, parts) === (naive < 0 ? null : String(naive));
      },
    ),
    { numRuns: 2000 },
  );
});

t.test('a thousand routes of one virtual host keep their order', async (t) => {
  const routes: Route[] = Array.from({ length: 1000 }, (_, number) =>
    route({
      name: String(number),
      match: routeMatch({ kind: 'prefix', value: `/${number}` }),
      action: forwardAction({ target: { kind: 'cluster', name: `c${number}` } }),
    }),
  );
  const host = compiled({ routes });
  for (const [path, expected] of [
    ['/999', '9'],
    ['/5', '5'],
    ['/0', '0'],
    ['/x', undefined],
  ] as const) {
    t.equal(host.match(request({ path }), matchContext())?.name, expected, path);
  }
});
