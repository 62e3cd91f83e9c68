import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import type { Route, VirtualHost } from '../../../config/route.ts';
import { emptySnapshot, type Snapshot } from '../../../config/snapshot.ts';
import { type DescribedRequest, explainRequest } from '../../../proxy/admin/explained-request.ts';
import { forwardTo, managerOf, routeOf } from '../../support/data-plane.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { exactly, forwardAction, headerMatcher, route, routeMatch, virtualHost } from '../../support/route-fixtures.ts';

const plain: DescribedRequest = { method: 'GET', authority: 'shop.example', path: '/', headers: [] };

interface Given {
  readonly host?: Partial<VirtualHost>;
  readonly manager?: Partial<HttpConnectionManager>;
  readonly request?: Partial<DescribedRequest>;
  readonly snapshot?: Partial<Snapshot>;
  readonly isTls?: boolean;
}

function explain(routes: readonly Route[], { host, manager, request, snapshot, isTls = false }: Given = {}) {
  const hosts = [virtualHost({ routes, ...host })];
  return explainRequest(
    { ...emptySnapshot, ...snapshot },
    managerOf(hosts, manager),
    { ...plain, ...request },
    { isTls, port: 80 },
  );
}

t.test('each route that does not match has the condition that failed', (t) => {
  const needs = headerMatcher('x-user', { kind: 'string', matcher: exactly('me') });
  const routes = [
    route({ name: 'mine', match: routeMatch({ kind: 'prefix', value: '/' }, { headers: [needs] }) }),
    route({ match: routeMatch({ kind: 'prefix', value: '/' }, { grpc: true }) }),
    route({ name: 'last' }),
  ];
  const { request, words } = explain(routes);
  t.match(request.routes[0], { route: 'mine', rejection: /^header matcher .*x-user.* does not match$/ });
  t.same(request.routes.slice(1), [
    { route: 'routes[1]', rejection: 'content-type is not application/grpc' },
    { route: 'last', rejection: null },
  ]);
  t.match(words[1], /^ {2}route "mine" does not match: header matcher \{"name":"x-user"/);
  t.equal(explain(routes, { request: { headers: [['X-User', 'me']] } }).request.routes.length, 1);
  t.end();
});

t.test('of many routes the last ones are told, with how many came before', (t) => {
  const routes = Array.from({ length: 150 }, (_, index) => routeOf(`/${index}/`, forwardTo('a')));
  const { request, words } = explain(routes);
  t.equal(request.routes.length, 100);
  t.equal(request.omittedRoutes, 50);
  t.equal(words[1], '  50 routes before these do not match');
  t.equal(words.at(-1), 'no route matches: the answer is 404 (NR)');
  t.match(request, { outcome: 'no-route', status: 404 });
  t.end();
});

t.test('authority and path are those that routes see', (t) => {
  const { request } = explain([route()], {
    manager: { normalizePath: true, mergeSlashes: true, stripPort: 'any' },
    request: { authority: 'shop.example:8080', path: '/a//b/../c' },
  });
  t.match(request, { authority: 'shop.example', path: '/a/c', outcome: 'forward' });
  const absolute = explain([route()], { request: { path: 'http://other.example/x' } });
  t.match(absolute.request, { authority: 'other.example', path: '/x' });
  t.end();
});

t.test('what is refused before routing says why', (t) => {
  const refused = (request: Partial<DescribedRequest>) =>
    explain([route()], { manager: { normalizePath: true }, request });
  for (const [request, status] of [
    [{ path: '/a%00' }, 400],
    [{ path: '/a#b' }, 400],
    [{ path: 'foo' }, 400],
    [{ authority: 'a b' }, 400],
    [{ path: '*', method: 'OPTIONS' }, 404],
    [{ method: 'CONNECT', authority: 'a' }, 400],
  ] as const) {
    const { request: seen, targets, words } = refused(request);
    t.match(seen, { outcome: 'refused', status, routes: noItems }, JSON.stringify(request));
    t.matchOnly(words, [new RegExp(`^the request is answered with ${status}: `)]);
    t.same(targets, []);
  }
  t.end();
});

t.test('no virtual host, and no route configuration, are told apart', (t) => {
  const elsewhere = explain([route()], { host: { domains: ['else.example'] } });
  t.match(elsewhere, { request: { virtualHost: null, outcome: 'no-route' }, targets: noItems });
  t.equal(elsewhere.words.at(-1), 'no domain covers the authority: the answer is 404 (NR)');
  const source = { kind: 'rds', name: 'named' } as unknown as HttpConnectionManager['routes'];
  t.strictSame(explain([], { manager: { routes: source } }).words, [
    'route configuration "named" is not there: the answer is 404 (NR)',
  ]);
  t.end();
});

t.test('a virtual host that requires TLS redirects plain requests only', (t) => {
  t.match(explain([route()], { host: { requireTls: 'all' } }), {
    request: { outcome: 'redirect', status: 301 },
    targets: noItems,
  });
  t.match(explain([route()], { host: { requireTls: 'all' }, isTls: true }), { request: { outcome: 'forward' } });
  t.end();
});

t.test('an answer of our own has its status', (t) => {
  const body = Buffer.from('hello');
  const direct = explain([route({ action: { kind: 'direct-response', status: 418, body } })]);
  t.match(direct, { request: { outcome: 'direct-response', status: 418 }, targets: noItems });
  const redirect = { kind: 'redirect', status: 308, https: true, stripQuery: false } as const;
  t.match(explain([route({ action: redirect })]).request, { outcome: 'redirect', status: 308 });
  t.end();
});

t.test('clusters are those of weights, of runtime values and of headers', (t) => {
  const member = (name: string, weight: number) => ({
    target: { kind: 'cluster' as const, name },
    weight,
    headers: { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] },
    perFilterConfig: {},
  });
  const clusters = [member('a', 90), member('b', 10)];
  const weighted = route({
    action: forwardAction({ target: { kind: 'weighted', clusters, totalWeight: 100, runtimeKeyPrefix: 'split' } }),
  });
  t.match(
    explain([weighted], { snapshot: { runtime: new Map([['split.b', 25]]) } }).targets,
    onlyItems({ name: 'a', weight: 90 }, { name: 'b', weight: 25 }),
  );
  const named = (header: string) => route({ action: forwardAction({ target: { kind: 'cluster-header', header } }) });
  const asked = { request: { headers: [['X-To', 'c']] as const } };
  t.match(explain([named('x-to')], asked).targets, onlyItems({ name: 'c' }));
  t.match(explain([named(':authority')], asked).targets, onlyItems({ name: 'shop.example' }));
  t.match(explain([named('x-other')], asked).targets, onlyItems({ name: '' }));
  t.end();
});

t.test('a route for a share of requests says which', (t) => {
  const match = routeMatch({ kind: 'prefix', value: '/' }, { runtimeFraction: { numerator: 30, denominator: 100 } });
  t.match(
    explain([route({ name: 'some', match })]).words.at(-1),
    'route "some" is taken by 30 of 100 requests: it forwards',
  );
  t.end();
});
