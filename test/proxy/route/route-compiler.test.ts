import t from 'tap';
import type { HeaderMutations, PerFilterConfig } from '../../../config/route.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { compileRoute, compileTlsRedirect } from '../../../proxy/route/route-compiler.ts';
import {
  addition,
  exactly,
  forwardAction,
  lines,
  noMutations,
  request,
  response,
  route,
  routeConfiguration,
  virtualHost,
} from '../../support/route-fixtures.ts';

const context = { suppressEnvoyHeaders: false };

const noPolicy = { allowedOrigins: [], allowMethods: '', allowHeaders: '', exposeHeaders: '', maxAge: '' };

t.test('what is said of filters is inherited from the route configuration', async (t) => {
  const allowing = (origin: string): PerFilterConfig => ({
    cors: { disabled: false, cors: { ...noPolicy, allowedOrigins: [exactly(origin)] } },
  });
  const origins = (config: PerFilterConfig, host: PerFilterConfig, all: PerFilterConfig | undefined) => {
    const scope = {
      config: virtualHost({ perFilterConfig: host }),
      routeConfiguration: routeConfiguration(all === undefined ? {} : { perFilterConfig: all }),
    };
    const { cors } = compileRoute(route({ perFilterConfig: config }), scope, { ...context, corsFilter: 'cors' }).route!;
    return ['a', 'b', 'c'].filter((origin) => cors?.allows(origin)).join();
  };
  t.equal(origins({}, {}, undefined), '');
  t.equal(origins({}, {}, allowing('c')), 'c');
  t.equal(origins({}, allowing('b'), allowing('c')), 'b');
  t.equal(origins(allowing('a'), allowing('b'), allowing('c')), 'a');
  t.equal(origins({}, { cors: { disabled: true } }, allowing('c')), '');
});

/** What a route does to request and response when every level changes headers in its own way. */
function applied(mutations: (level: string) => HeaderMutations, mostSpecificWins: boolean): readonly string[] {
  const scope = {
    config: virtualHost({ headers: mutations('virtual host') }),
    routeConfiguration: routeConfiguration({
      headers: mutations('configuration'),
      mostSpecificHeaderMutationsWins: mostSpecificWins,
    }),
  };
  const entry = compileRoute(route({ headers: mutations('route') }), scope, context);
  if (entry.route?.action.kind !== 'forward') throw new Error('the route does not forward');
  const head = request();
  entry.route.action.rewriteRequest(head, new StreamInfo());
  const answer = response(200);
  entry.route.mutateResponse(answer, head, new StreamInfo());
  return [...lines(head).slice(1), ...lines(answer)];
}

t.test('the route configuration has the last word on a header, or the route when so set', async (t) => {
  const overwrite = (level: string) => ({
    ...noMutations,
    requestAdd: [addition('x-level', level, { action: 'overwrite' })],
    responseAdd: [addition('x-level', level, { action: 'overwrite' })],
  });
  t.same(applied(overwrite, false), ['x-level: configuration', 'x-level: configuration']);
  t.same(applied(overwrite, true), ['x-level: route', 'x-level: route']);
});

t.test('appended headers stand in the order of the levels', async (t) => {
  const append = (level: string) => ({ ...noMutations, requestAdd: [addition('x', level)] });
  t.same(applied(append, false), ['x: route', 'x: virtual host', 'x: configuration']);
  t.same(applied(append, true), ['x: configuration', 'x: virtual host', 'x: route']);
});

t.test('every kind of action compiles to its kind', async (t) => {
  const scope = { config: virtualHost(), routeConfiguration: routeConfiguration() };
  const body = Buffer.from('gone');
  for (const action of [
    forwardAction(),
    { kind: 'redirect', status: 302, https: true, stripQuery: false },
    { kind: 'direct-response', status: 410, body },
  ] as const) {
    t.match(compileRoute(route({ action }), scope, context).route?.action, { kind: action.kind });
  }
  const direct = compileRoute(route({ action: { kind: 'direct-response', status: 410, body } }), scope, context);
  t.match(direct.route?.action, { status: 410, config: { body } });
});

t.test('the redirect to TLS keeps everything but the scheme', async (t) => {
  const { action } = compileTlsRedirect({ config: virtualHost(), routeConfiguration: routeConfiguration() });
  if (action.kind !== 'redirect') throw new Error('no redirect');
  t.equal(action.status, 301);
  t.equal(action.location(request({ authority: 'a:80', path: '/b?c' }), new StreamInfo()), 'https://a/b?c');
});
