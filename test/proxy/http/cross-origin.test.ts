import t from 'tap';
import type { CorsPolicy } from '../../../config/cors.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { addition, exactly, forwardAction, noMutations } from '../../support/route-fixtures.ts';

const policy: CorsPolicy = {
  allowedOrigins: [exactly('http://a.example')],
  allowMethods: 'GET,PUT',
  allowHeaders: '',
  exposeHeaders: 'x-seen',
  maxAge: '60',
};
const headers = { ...noMutations, responseAdd: [addition('x-route', '1')] };
const action = forwardAction({ target: { kind: 'cluster', name: 'service' } });

interface Asked {
  readonly method?: string;
  readonly fields?: Readonly<Record<string, string>>;
  readonly policy?: Partial<CorsPolicy>;
  readonly hasFilter?: boolean;
}

function ask({ method = 'GET', fields = {}, policy: changes = {}, hasFilter = true }: Asked) {
  const perFilterConfig = { cors: { disabled: false, cors: { ...policy, ...changes } } };
  const moved = { kind: 'redirect', status: 302, https: false, stripQuery: false, host: 'new' } as const;
  const scene = new Scene({
    routes: [routeOf('/moved', moved, { perFilterConfig }), routeOf('/', action, { perFilterConfig, headers })],
    manager: hasFilter ? { corsFilter: 'cors' } : {},
  });
  const asked = scene.request((head) => {
    head.method = method;
    for (const [name, value] of Object.entries(fields)) head.headers.append(name, value);
    if (fields['path'] !== undefined) head.path = fields['path'];
  });
  const [group] = scene.stats.groups().filter(({ names }) => names.includes('test'));
  const counts = () => [httpStats.corsOriginValid, httpStats.corsOriginInvalid].map((stat) => group!.value(stat));
  return { scene, counts, ...asked };
}

const preflight = { 'Access-Control-Request-Method': 'PUT' };
const allowed = { Origin: 'http://a.example' };
const other = { Origin: 'http://b.example' };

t.test('a preflight of an allowed origin is answered without the endpoint, and without what routes add', async (t) => {
  const { scene, client, stream, counts } = ask({ method: 'OPTIONS', fields: { ...allowed, ...preflight } });
  t.equal(scene.waiting.length, 0);
  t.match(client, { status: 200, body: '', ending: 'ended' });
  const said = client.headers.filter((line) => line.startsWith('access-control') || line.startsWith('x-route'));
  t.same(said.sort(), [
    'access-control-allow-methods: GET,PUT',
    'access-control-allow-origin: http://a.example',
    'access-control-expose-headers: x-seen',
    'access-control-max-age: 60',
  ]);
  t.equal(stream.info.responseCodeDetails, 'cors_response');
  t.same(counts(), [1, 0]);
});

t.test('it is logged with the cluster of its route, which does not count it', (t) => {
  const { scene, stream } = ask({ method: 'OPTIONS', fields: { ...allowed, ...preflight } });
  t.equal(stream.info.upstreamCluster, 'service');
  t.equal(stream.info.clusterMetadata, scene.cluster.config.metadata);
  const [group] = scene.stats.groups().filter(({ names }) => names.includes('service'));
  t.equal(group?.value(clusterStats.upstreamRqTotal) ?? 0, 0);
  const elsewhere = ask({ method: 'OPTIONS', fields: { ...allowed, ...preflight, path: '/moved' } });
  t.equal(elsewhere.stream.info.upstreamCluster, '');
  t.end();
});

t.test('a response to an allowed origin says that it may be read', async (t) => {
  const { scene, client, counts } = ask({ fields: allowed });
  scene.respond(scene.connect(), 200, true, [['access-control-allow-origin', '*']]);
  const said = client.headers.filter((line) => /^(access-control|x-route)/.test(line));
  t.same(said.sort(), [
    'access-control-allow-origin: http://a.example',
    'access-control-expose-headers: x-seen',
    'x-route: 1',
  ]);
  t.same(counts(), [1, 0]);
});

t.test('so does a reply of our own when the endpoint is not reached', async (t) => {
  const { scene, client } = ask({ fields: allowed });
  scene.refuse();
  t.equal(client.status, 503);
  t.ok(client.headers.includes('access-control-allow-origin: http://a.example'));
});

t.test('to another origin the response goes as the endpoint made it', async (t) => {
  const { scene, client, counts } = ask({ fields: other });
  scene.respond(scene.connect(), 200, true, [['access-control-allow-origin', 'http://c.example']]);
  t.ok(client.headers.includes('access-control-allow-origin: http://c.example'));
  t.notMatch(client.headers.join('\n'), /expose/);
  t.same(counts(), [0, 1]);
});

t.test('a preflight of another origin goes to the endpoint, unless it is not to', async (t) => {
  const fields = { ...other, ...preflight };
  t.equal(ask({ method: 'OPTIONS', fields }).scene.waiting.length, 1);
  const kept = ask({ method: 'OPTIONS', fields, policy: { forwardNotMatchingPreflights: false } });
  t.equal(kept.scene.waiting.length, 0);
  t.equal(kept.client.status, 200);
  t.notMatch(kept.client.headers.join('\n'), /allow-origin/);
});

t.test('what is no preflight, names no origin or has no filter goes to the endpoint', async (t) => {
  const asked: readonly Asked[] = [
    { method: 'OPTIONS', fields: allowed },
    { method: 'OPTIONS', fields: { ...allowed, 'Access-Control-Request-Method': '' } },
    { method: 'GET', fields: { ...allowed, ...preflight } },
    { method: 'OPTIONS', fields: preflight },
    { method: 'OPTIONS', fields: { ...allowed, ...preflight }, hasFilter: false },
    {
      method: 'OPTIONS',
      fields: { ...allowed, ...preflight },
      policy: { enabled: { numerator: 0, denominator: 100 } },
    },
  ];
  for (const each of asked) t.equal(ask(each).scene.waiting.length, 1, JSON.stringify(each));
});

t.test('a page of a wider network is let in where that is allowed', async (t) => {
  const fields = { ...allowed, ...preflight, 'Access-Control-Request-Private-Network': 'true' };
  const line = 'access-control-allow-private-network: true';
  const open = ask({ method: 'OPTIONS', fields, policy: { allowPrivateNetworkAccess: true } });
  t.ok(open.client.headers.includes(line));
  t.notOk(ask({ method: 'OPTIONS', fields }).client.headers.includes(line));
});

t.test('a redirect says nothing of origins, as in Envoy', async (t) => {
  const { client } = ask({ fields: { ...allowed, path: '/moved' } });
  t.equal(client.status, 302);
  t.notMatch(client.headers.join('\n'), /access-control/);
});

t.test('an upgrade that no route allows is refused before anybody asks for its origin, as in Envoy', async (t) => {
  const { scene, counts } = ask({ fields: allowed });
  scene.respond(scene.connect(), 200, true);
  const { client } = scene.request((head) => {
    head.headers.append('origin', 'http://a.example');
    head.headers.append('connection', 'upgrade');
    head.upgrade = 'websocket';
  });
  t.equal(client.status, 403);
  t.notMatch(client.headers.join('\n'), /access-control/);
  t.same(counts(), [1, 0]);
});
