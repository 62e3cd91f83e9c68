import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { encodeLine } from '../../../proxy/http/header-table.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { forwardAction, routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

/** The response head that the client gets for one of the endpoint with these fields. */
function finished(config: Partial<HttpConnectionManager>, fields: [string, string][] = []): readonly string[] {
  const scene = new Scene({ manager: config });
  const { client } = scene.request();
  scene.respond(scene.connect(), 200, true, fields);
  return client.headers;
}

t.test('the server header is ours, theirs, or ours when they have none', async (t) => {
  const server = (serverHeader: HttpConnectionManager['serverHeader'], fields: [string, string][]) =>
    finished({ serverName: 'us', serverHeader }, fields).filter((line) => line.toLowerCase().startsWith('server'));
  t.same(server('overwrite', [['Server', 'them']]), ['Server: us']);
  t.same(server('append-if-absent', [['Server', 'them']]), ['Server: them']);
  t.same(server('append-if-absent', []), ['server: us']);
  t.same(server('pass-through', [['Server', 'them']]), ['Server: them']);
  t.same(server('pass-through', []), []);
});

t.test('a response without a date gets one, via and request id as configured', async (t) => {
  t.ok(finished({}).includes('date: now'));
  t.notOk(finished({}, [['Date', 'then']]).includes('date: now'));
  t.ok(finished({ via: 'me' }, [['Via', 'you']]).includes('Via: you, me'));
  t.match(
    finished({ alwaysSetRequestIdInResponse: true }).find((line) => line.startsWith('x-request-id: ')),
    /^x-request-id: [0-9a-f-]{36}$/,
  );
  t.notOk(finished({}).some((line) => line.startsWith('x-request-id')));
});

t.test('the date line is that of the moment', async (t) => {
  const scene = new Scene();
  scene.manager.context.dateLine.current = encodeLine('date', 'later');
  const { client } = scene.request();
  scene.respond(scene.connect(), 200);
  t.ok(client.headers.includes('date: later'));
});

t.test('an upgrade is allowed by its route, else by the connection manager, else not', async (t) => {
  const allows = (route: Record<string, boolean>, manager: Record<string, boolean>) => {
    const scene = new Scene({
      routes: [routeOf('/', forwardAction({ upgrades: route }))],
      manager: { upgrades: manager },
    });
    const { stream, client } = scene.request((head) => {
      head.upgrade = 'websocket';
    });
    t.equal(client.status, stream.isDone ? 403 : 0);
    return !stream.isDone;
  };
  t.equal(allows({}, {}), false);
  t.equal(allows({}, { websocket: true }), true);
  t.equal(allows({ websocket: true }, {}), true);
  t.equal(allows({ websocket: false }, { websocket: true }), false);
  t.equal(allows({ h2c: true }, {}), false);
});

t.test('every request is counted and logged once, when it is over', async (t) => {
  const logged: number[] = [];
  const log = ({ info, response }: FormatContext) => {
    logged.push(info.responseCode);
    t.equal(response?.status ?? 0, info.responseCode);
  };
  const options: SceneOptions = { accessLoggers: [{ log }] };
  const scene = new Scene(options);
  const value = (index: number) => scene.stats.get(httpStats, 'test')!.value(index);
  scene.request();
  t.equal(value(httpStats.downstreamRqActive), 1);
  scene.respond(scene.connect(), 201);
  scene.request((head) => {
    head.authority = '@';
  });
  const gone = scene.request();
  gone.stream.onDownstreamReset(0, 'downstream_remote_disconnect');
  gone.stream.onDownstreamReset(0, 'downstream_remote_disconnect');
  t.same(logged, [201, 400, 0]);
  t.equal(value(httpStats.downstreamRqActive), 0);
  t.equal(value(httpStats.downstreamRqTotal), 3);
  t.equal(value(httpStats.downstreamRq2xx), 1);
  t.equal(value(httpStats.downstreamRq4xx), 1);
  t.equal(value(httpStats.downstreamRqRxReset), 1);
});

t.test(
  'a table of routes by name is replaced for the next request, and the one under way keeps its route',
  async (t) => {
    const source = { initialFetchTimeoutMs: 0, kind: 'ads' } as const;
    const scene = new Scene({ manager: { routes: { kind: 'rds', name: 'table', source } } });
    const { routeTables } = scene.manager.context;
    const tableOf = (routeName: string, internalOnlyHeaders: readonly string[]) => ({
      set: [
        [
          'table',
          {
            kind: 'whole',
            config: routeConfiguration({
              virtualHosts: [virtualHost({ routes: [routeOf('/', forwardAction(), { name: routeName })] })],
              internalOnlyHeaders,
            }),
          },
        ] as const,
      ],
      removed: [],
    });
    const missing = scene.request();
    t.same([missing.client.status, missing.stream.info.responseCodeDetails], [404, 'route_not_found']);
    routeTables.apply(tableOf('first', ['x-secret']));
    const underWay = scene.request();
    t.same(
      scene.manager.internalOnlyHeaders.map(({ text }) => text),
      ['x-secret'],
    );
    routeTables.apply(tableOf('second', []));
    t.same(scene.manager.internalOnlyHeaders, []);
    scene.respond(scene.connect(), 200);
    t.same([underWay.client.status, underWay.stream.info.routeName], [200, 'first']);
    t.equal(scene.request().stream.info.routeName, 'second');
    scene.manager.release();
    routeTables.apply(tableOf('third', []));
    t.equal(scene.manager.routes.config.virtualHosts[0]?.routes[0]?.name, 'second');
  },
);
