import t from 'tap';
import type { ForwardAction, HeaderMutations, RouteMatch, WeightedCluster } from '../../../config/route.ts';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import type { CompiledForward } from '../../../proxy/route/compiled-route.ts';
import type { MatchContext } from '../../../proxy/route/route-match.ts';
import { compileRouteTable } from '../../../proxy/route/route-table.ts';
import {
  addition,
  forwardAction,
  lines,
  matchContext,
  noMutations,
  type RequestParts,
  request,
  response,
  route,
  routeConfiguration,
  routeMatch,
  virtualHost,
} from '../../support/route-fixtures.ts';

interface Setting {
  readonly action?: Partial<ForwardAction>;
  readonly path?: RouteMatch['path'];
  readonly caseSensitive?: boolean;
  readonly route?: Partial<HeaderMutations>;
  readonly virtualHost?: Partial<HeaderMutations>;
  readonly configuration?: Partial<HeaderMutations>;
  readonly mostSpecificWins?: boolean;
  readonly suppressEnvoyHeaders?: boolean;
}

function table(setting: Setting) {
  const path = setting.path ?? { kind: 'prefix', value: '/' };
  const only = route({
    match: routeMatch(path, { caseSensitive: setting.caseSensitive ?? true }),
    action: forwardAction(setting.action),
    headers: { ...noMutations, ...setting.route },
  });
  const config = routeConfiguration({
    virtualHosts: [virtualHost({ routes: [only], headers: { ...noMutations, ...setting.virtualHost } })],
    headers: { ...noMutations, ...setting.configuration },
    mostSpecificHeaderMutationsWins: setting.mostSpecificWins ?? false,
  });
  return compileRouteTable(config, { suppressEnvoyHeaders: setting.suppressEnvoyHeaders ?? false });
}

function forwardOf(setting: Setting, head: RequestHead, context: MatchContext = matchContext()): CompiledForward {
  const found = table(setting).match(head, context);
  if (found?.action.kind !== 'forward') throw new Error('the request is not forwarded');
  return found.action;
}

/** What the endpoint receives. */
function rewritten(setting: Setting, parts: RequestParts = {}) {
  const head = request(parts);
  const info = new StreamInfo();
  forwardOf(setting, head).rewriteRequest(head, info);
  return { path: head.path, authority: head.authority, lines: lines(head), originalPath: info.originalPath };
}

t.test('a prefix rewrite replaces what matched and keeps the rest and the query', async (t) => {
  const action = { pathRewrite: { kind: 'prefix', replacement: '/new' } } as const;
  for (const [path, caseSensitive, target, expected] of [
    [{ kind: 'prefix', value: '/api' }, true, '/api/v1?x=/api', '/new/v1?x=/api'],
    [{ kind: 'prefix', value: '/API' }, false, '/api/v1', '/new/v1'],
    [{ kind: 'path-separated-prefix', value: '/api' }, true, '/api?x', '/new?x'],
    [{ kind: 'path', value: '/api' }, true, '/api?x', '/new?x'],
    [{ kind: 'regex', regex: '/a.*' }, true, '/api/v1?x', '/new?x'],
  ] as const) {
    t.equal(rewritten({ action, path, caseSensitive }, { path: target }).path, expected, JSON.stringify(path));
  }
});

t.test('a regex rewrite works on the path alone', async (t) => {
  const rewrite = (regex: string, substitution: string, path: string) =>
    rewritten({ action: { pathRewrite: { kind: 'regex', regex, substitution } } }, { path }).path;
  t.equal(
    rewrite('^/service/([^/]+)(/.*)$', '\\2/instance/\\1', '/service/foo/v1/api?a=/service/b/c'),
    '/v1/api/instance/foo?a=/service/b/c',
  );
  t.equal(rewrite('one', 'two', '/xxx/one/yyy/one/zzz'), '/xxx/two/yyy/two/zzz');
  t.equal(rewrite('^(.*?)one(.*)$', '\\1two\\2', '/xxx/one/yyy/one/zzz'), '/xxx/two/yyy/one/zzz');
  t.equal(rewrite('(?i)/xxx/', '/yyy/', '/aaa/XxX/bbb'), '/aaa/yyy/bbb');
  t.equal(rewrite('.*', '', '/a?b'), '/a?b', 'a rewrite to nothing is none');
});

t.test('a format makes a path, and keeps the query', async (t) => {
  const rewrite = (format: string, value?: string) =>
    rewritten(
      { action: { pathRewrite: { kind: 'format', format } } },
      { path: '/a?b', headers: value === undefined ? [] : [['x-a', value]] },
    );
  t.equal(rewrite('/new/%REQ(x-a)%', 'one').path, '/new/one?b');
  t.equal(rewrite('/new/%REQ(x-a)%').path, '/new/?b', 'what is missing is nothing');
  t.equal(rewrite('/new/%REQ(x-a)%', 'b HTTP/1.1 \x7f').path, '/new/b%20HTTP/1.1%20%7F?b', 'and no path ends early');
  const none = rewrite('%REQ(x-a)%');
  t.equal(none.path, '/a?b', 'a path of nothing is none');
  t.equal(none.originalPath, '');
  t.same(none.lines, ['Host: shop.example']);
});

t.test('the original path is remembered, in a header too unless Envoy headers are suppressed', async (t) => {
  const action = { pathRewrite: { kind: 'prefix', replacement: '/b' } } as const;
  const path = { kind: 'prefix', value: '/a' } as const;
  const parts = { path: '/a?x', headers: [['X-Envoy-Original-Path', '/forged']] } as const;
  const plain = rewritten({ action, path }, parts);
  t.equal(plain.originalPath, '/a?x');
  t.same(plain.lines, ['Host: shop.example', 'X-Envoy-Original-Path: /a?x']);
  t.same(rewritten({ action, path, suppressEnvoyHeaders: true }, { path: '/a' }).lines, ['Host: shop.example']);
  t.equal(rewritten({}, parts).originalPath, '', 'without a rewrite there is none');
});

t.test('the host is rewritten by literal, header and path', async (t) => {
  const host = (hostRewrite: ForwardAction['hostRewrite'], parts: RequestParts = {}) => {
    const { authority, lines } = rewritten({ action: hostRewrite ? { hostRewrite } : {} }, parts);
    t.match(lines[0], /^[Hh]ost: /);
    t.equal(lines[0]!.slice(6), authority, 'the Host field follows');
    return authority;
  };
  t.equal(host(undefined), 'shop.example');
  t.equal(host({ kind: 'literal', value: 'a.example' }), 'a.example');
  t.equal(host({ kind: 'header', name: 'x-host' }, { headers: [['X-Host', 'b.example']] }), 'b.example');
  t.equal(host({ kind: 'header', name: 'x-host' }), 'shop.example');
  t.equal(
    host({ kind: 'path-regex', regex: '^/(.+)/.*$', substitution: '\\1.example' }, { path: '/c/d?e' }),
    'c.example',
  );
  t.equal(host({ kind: 'auto' }), 'shop.example', 'auto waits for the endpoint');
});

t.test('a rewritten host leaves its traces once', async (t) => {
  const action = { hostRewrite: { kind: 'literal', value: 'a.example' }, appendForwardedHost: true } as const;
  t.same(rewritten({ action }).lines, [
    'Host: a.example',
    'x-forwarded-host: shop.example',
    'x-envoy-original-host: shop.example',
  ]);
  const forwarded = (value: string) => rewritten({ action }, { headers: [['X-Forwarded-Host', value]] }).lines[1];
  t.equal(forwarded('edge'), 'X-Forwarded-Host: edge,shop.example');
  t.equal(forwarded('edge, shop.example'), 'X-Forwarded-Host: edge, shop.example', 'it is the last one already');
  const quiet = { action: { ...action, appendForwardedHost: false }, suppressEnvoyHeaders: true };
  t.same(rewritten(quiet).lines, ['Host: a.example']);
});

t.test('auto_host_rewrite takes the endpoint hostname, when it has one', async (t) => {
  const head = request();
  const auto = forwardOf({ action: { hostRewrite: { kind: 'auto' } } }, head);
  auto.rewriteHostForEndpoint(head, '', true);
  t.equal(head.authority, 'shop.example');
  auto.rewriteHostForEndpoint(head, 'pod-1', true);
  t.equal(head.authority, 'pod-1');
  const fixed = request();
  forwardOf({}, fixed).rewriteHostForEndpoint(fixed, 'pod-1', true);
  t.equal(fixed.authority, 'shop.example', 'only where it was asked for');
});

t.test('response headers change for every kind of answer and may speak of the request', async (t) => {
  const mutations = { responseAdd: [addition('x-was', '%REQ(:PATH)% %RESPONSE_CODE%')], responseRemove: ['server'] };
  const head = request({ path: '/p' });
  const found = table({ route: mutations }).match(head, matchContext())!;
  const info = new StreamInfo();
  info.responseCode = 418;
  const answer = response(418, [['Server', 'x']]);
  found.mutateResponse(answer, head, info);
  t.same(lines(answer), ['x-was: /p 418']);
});

function weighted(name: string, weight: number, options: Partial<WeightedCluster> = {}): WeightedCluster {
  return { target: { kind: 'cluster', name }, weight, headers: noMutations, perFilterConfig: {}, ...options };
}

function weightedAction(clusters: readonly WeightedCluster[], runtimeKeyPrefix = ''): Setting {
  const totalWeight = clusters.reduce((sum, cluster) => sum + cluster.weight, 0);
  return { action: { target: { kind: 'weighted', clusters, totalWeight, runtimeKeyPrefix } } };
}

t.test('a cluster is chosen by weight', async (t) => {
  const setting = weightedAction([weighted('a', 1), weighted('none', 0), weighted('b', 3)]);
  for (const [draw, expected] of [
    [0, 'a'],
    [0.249, 'a'],
    [0.25, 'b'],
    [0.999, 'b'],
  ] as const) {
    const head = request();
    t.equal(forwardOf(setting, head, matchContext([draw])).selectCluster(head), expected, String(draw));
  }
});

t.test('runtime values override weights', async (t) => {
  const setting = weightedAction([weighted('a', 100), weighted('b', 0)], 'shift');
  const head = request();
  const choose = (draw: number, runtime: ReadonlyMap<string, number>) =>
    forwardOf(setting, head, matchContext([draw], runtime)).selectCluster(head);
  t.equal(choose(0.9, new Map()), 'a');
  t.equal(
    choose(
      0.9,
      new Map([
        ['shift.a', 20],
        ['shift.b', 80],
      ]),
    ),
    'b',
  );
  t.equal(table(setting).match(head, matchContext([0.5], new Map([['shift.a', 0]]))), null, 'no weight at all');
});

t.test('the chosen cluster brings its own header changes and host', async (t) => {
  const canary = weighted('canary', 1, {
    headers: { ...noMutations, requestAdd: [addition('x-canary', '1')], responseAdd: [addition('x-from', 'canary')] },
    hostRewriteLiteral: 'canary.example',
  });
  const setting = { ...weightedAction([weighted('stable', 1), canary]), route: { requestAdd: [addition('x-r', '1')] } };
  const outcome = (draw: number) => {
    const head = request();
    const found = table(setting).match(head, matchContext([draw]))!;
    if (found.action.kind !== 'forward') throw new Error('the request is not forwarded');
    found.action.rewriteRequest(head, new StreamInfo());
    const answer = response(200);
    found.mutateResponse(answer, head, new StreamInfo());
    return [...lines(head), ...lines(answer)];
  };
  t.same(outcome(0.1), ['Host: shop.example', 'x-r: 1']);
  t.same(outcome(0.9), ['Host: canary.example', 'x-canary: 1', 'x-r: 1', 'x-from: canary']);
});

t.test('the cluster may be named by a header', async (t) => {
  const setting = { action: { target: { kind: 'cluster-header', header: 'x-cluster' } } } as const;
  const named = (headers: readonly (readonly [string, string])[]) => {
    const head = request({ headers });
    return forwardOf(setting, head).selectCluster(head);
  };
  t.equal(
    named([
      ['X-Cluster', 'a'],
      ['X-Cluster', 'b'],
    ]),
    'a',
  );
  t.equal(named([['X-Cluster', '']]), null);
  t.equal(named([]), null);
});

t.test('auto_host_rewrite of a further attempt remembers the client, not the endpoint before', async (t) => {
  const head = request();
  const auto = forwardOf({ action: { hostRewrite: { kind: 'auto' }, appendForwardedHost: true } }, head);
  auto.rewriteHostForEndpoint(head, 'pod-1', true);
  auto.rewriteHostForEndpoint(head, 'pod-2', false);
  t.same(lines(head), ['Host: pod-2', 'x-forwarded-host: shop.example', 'x-envoy-original-host: shop.example']);
});
