// Replies of the proxy's own through real sockets: status, flags and details as Envoy 1.40 gives them for the same
// requests, the plain sentence behind Envoy's text, and what `local_reply_config` makes of it.

import t, { type Test } from 'tap';
import type { Cluster } from '../../config/cluster.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { ForwardAction, Route, RouteAction } from '../../config/route.ts';
import {
  clusterOf,
  type DataPlane,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawOrigin } from '../support/raw-origin.ts';
import { retryPolicy } from '../support/route-fixtures.ts';

const log = '%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n';
const accessLogs: HttpConnectionManager['accessLogs'] = [
  { sink: { kind: 'stdout' }, format: { kind: 'text', format: log, omitEmptyValues: false } },
];

interface Scene {
  readonly plane: DataPlane;
  readonly port: number;
  readonly origin: RawOrigin;
  /** Requests so far: each has a line in the log. */
  asked: number;
}

/** The last part of the path says what the origin does; the first, which route is taken. */
async function start(
  t: Test,
  options: {
    readonly routes?: readonly Route[];
    readonly manager?: Partial<HttpConnectionManager>;
    readonly cluster?: Partial<Cluster>;
  } = {},
): Promise<Scene> {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = (_, { text, socket }) => {
      const deed = /^\S+ \/\w+\/(\w+) /.exec(text)?.[1];
      if (deed === 'reset') socket.resetAndDestroy();
      else if (deed === 'close') socket.end();
      else if (deed === 'bad') connection.write('HTTP/9.9 garbage\r\n\r\n');
      else if (deed === 'drip') connection.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
    };
  });
  const unused = await RawOrigin.start(t, () => undefined);
  const routes = options.routes ?? [routeOf('/', forwardTo('app'))];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)], { accessLogs, ...options.manager }))],
    clusters: [
      clusterOf('app', [origin.port], options.cluster ?? {}),
      clusterOf('empty', []),
      // Port 1 of loopback: nobody listens there.
      clusterOf('refused', [1]),
    ],
  });
  t.teardown(() => plane.stop());
  return { plane, port: plane.ports.get('http')!, origin: unused, asked: 0 };
}

interface Outcome {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  readonly line: string;
}

/** One request; done when the response is complete by its content-length, or the connection is over. */
async function ask(scene: Scene, bytes: string): Promise<Outcome> {
  const { plane, port } = scene;
  const client = await RawClient.open(port);
  await client.write(bytes);
  const isHead = bytes.startsWith('HEAD');
  const text = await client.until((all) => {
    const length = /\r\ncontent-length: (\d+)\r\n/i.exec(all)?.[1];
    return length !== undefined && all.length >= all.indexOf('\r\n\r\n') + 4 + (isHead ? 0 : Number(length));
  });
  client.close();
  const lines = await plane.logged(++scene.asked);
  const headEnd = text.indexOf('\r\n\r\n');
  return {
    status: Number(text.slice(9, 12)),
    headers: text.slice(0, headEnd).toLowerCase(),
    body: text.slice(headEnd + 4),
    line: lines.at(-1)!,
  };
}

function get(path: string, headers = ''): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;
}

function forwarding(prefix: string, overrides: Partial<ForwardAction>, cluster = 'app'): Route {
  return routeOf(prefix, forwardTo(cluster, overrides));
}

const reset = 'upstream_reset_before_response_started';

t.test('failures upstream have the status of Envoy, flag, detail and text, and a sentence', async (t) => {
  const scene = await start(t, {
    routes: [
      forwarding('/refused', {}, 'refused'),
      forwarding('/empty', {}, 'empty'),
      forwarding('/slow', { timeoutMs: 50 }),
      forwarding('/try', { retryPolicy: retryPolicy({ retryOn: ['connect-failure'], perTryTimeoutMs: 40 }) }),
      forwarding('/again', { retryPolicy: retryPolicy({ retryOn: ['reset'], numRetries: 1 }) }),
      forwarding('/unknown', {}, 'nowhere'),
      forwarding('/app', {}),
    ],
  });
  const cases: readonly (readonly [path: string, line: string, body: RegExp])[] = [
    [
      '/refused',
      `503 UF ${reset}{remote_connection_failure|delayed_connect_error:_Connection_refused}`,
      /reset reason: remote connection failure; refused at 127/,
    ],
    ['/empty', '503 UH no_healthy_upstream', /^no healthy upstream; cluster empty has no healthy endpoint$/],
    ['/app/reset', `503 UC ${reset}{connection_termination}`, /reset reason: connection termination; app at 127/],
    ['/app/close', `503 UC ${reset}{connection_termination}`, /closed the connection before the response/],
    ['/app/bad', `502 UPE ${reset}{protocol_error}`, /reset reason: protocol error; .* not valid HTTP/],
    ['/slow/hang', '504 UT response_timeout', /^upstream request timeout; .* within 50 ms$/],
    ['/try/hang', '504 UT upstream_per_try_timeout', /^upstream request timeout; .* within per_try_timeout$/],
    [
      '/again/reset',
      `503 UC,URX ${reset}{connection_termination}`,
      /retried and the latest reset reason: connection termination; .*, attempt 2$/,
    ],
    ['/unknown', '503 NC cluster_not_found', /^cluster nowhere is not known$/],
    ['/nothing', '404 NR route_not_found', /^no route matches GET a\/nothing$/],
  ];
  for (const [path, line, body] of cases) {
    const outcome = await ask(scene, get(path));
    t.same(outcome.line.split(' ')[1]!.split(',').sort(), line.split(' ')[1]!.split(',').sort(), `${path}: flags`);
    t.equal(withoutFlags(outcome.line), withoutFlags(line), path);
    t.match(outcome.body, body, path);
  }
});

function withoutFlags(line: string): string {
  const [code, , ...details] = line.split(' ');
  return `${code} ${details.join(' ')}`;
}

t.test('timeouts of the client side have the status and detail of Envoy', async (t) => {
  const scene = await start(t, {
    routes: [forwarding('/idle', { idleTimeoutMs: 40 }), forwarding('/long', { maxStreamDurationMs: 40 })],
  });
  const partOf = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc`;
  t.equal((await ask(scene, get('/idle/hang'))).line, '504 SI stream_idle_timeout');
  t.equal((await ask(scene, partOf('/idle/hang'))).line, '408 SI stream_idle_timeout');
  t.equal((await ask(scene, get('/long/hang'))).line, '504 - max_duration_timeout');
  t.equal((await ask(scene, partOf('/long/hang'))).line, '408 - max_duration_timeout');
  const limited = await start(t, { routes: [forwarding('/app', {})], manager: { requestTimeoutMs: 60 } });
  const late = await ask(limited, partOf('/app/hang'));
  t.equal(late.line, '408 - request_overall_timeout');
  t.match(late.headers, /\r\nconnection: close/);
});

t.test('per_try_idle_timeout ends a response that stops half-way, and is retried before it', async (t) => {
  const retry = retryPolicy({ retryOn: ['5xx'], numRetries: 1, perTryIdleTimeoutMs: 40 });
  const scene = await start(t, { routes: [forwarding('/app', { retryPolicy: retry })] });
  const silent = await ask(scene, get('/app/hang'));
  t.match(silent.line, /^504 (UT,URX|URX,UT) upstream_per_try_idle_timeout$/);
  t.match(silent.body, /, attempt 2$/);
  const client = await RawClient.open(scene.port);
  await client.write(get('/app/drip'));
  t.match(await client.ended(), /abc$/);
  t.not(client.outcome, 'end', 'the client cannot take it for whole');
  t.equal((await scene.plane.logged(2)).at(-1), '200 UT upstream_per_try_idle_timeout');
});

t.test('a breaker that refuses says so in a header', async (t) => {
  const limit = { maxConnections: 1, maxPendingRequests: 1, maxRequests: 0, maxRetries: 1, trackRemaining: false };
  const retry = retryPolicy({ retryOn: ['5xx', 'reset'], numRetries: 3 });
  const scene = await start(t, {
    routes: [forwarding('/app', { retryPolicy: retry })],
    cluster: { circuitBreakers: { default: limit, high: limit } },
  });
  const outcome = await ask(scene, get('/app/x'));
  t.equal(outcome.line, `503 UO ${reset}{overflow}`, 'asking a full cluster again helps nobody');
  t.match(outcome.headers, /\r\nx-envoy-overloaded: true/);
});

t.test('after a 400 the connection closes, unless stream_error_on_invalid_http_message', async (t) => {
  const badPath = get('/%00');
  const strict = await ask(await start(t, { manager: { normalizePath: true } }), badPath);
  t.match(strict, { status: 400, line: '400 - path_normalization_failed' });
  t.match(strict.headers, /\r\nconnection: close/);
  const manager = { normalizePath: true, streamErrorOnInvalidMessage: true };
  const lenient = await ask(await start(t, { manager }), badPath);
  t.equal(lenient.status, 400);
  t.notMatch(lenient.headers, /connection: close/);
});

t.test('JSON and gRPC clients are answered in their own form, HEAD without a body', async (t) => {
  const scene = await start(t, { routes: [forwarding('/', {}, 'empty')] });
  const json = await ask(scene, get('/', 'Accept: application/json\r\n'));
  t.match(JSON.parse(json.body), { status: 503, details: 'no_healthy_upstream', message: 'no healthy upstream' });
  const grpc = await ask(scene, get('/', 'Content-Type: application/grpc\r\n'));
  t.match(grpc, { status: 200, body: '' });
  t.match(grpc.headers, /\r\ngrpc-status: 14/);
  t.match(grpc.headers, /\r\ngrpc-message: no healthy upstream; cluster empty/);
  const head = await ask(scene, 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(head, { status: 503, body: '' });
});

t.test('the caller from outside learns nothing of our insides', async (t) => {
  const scene = await start(t, {
    routes: [forwarding('/', {}, 'empty')],
    manager: { useRemoteAddress: true, internalAddressRanges: [{ ip: '10.0.0.0', prefixLength: 8 }] },
  });
  t.equal((await ask(scene, get('/'))).body, 'no healthy upstream');
});

const equals = (value: number) =>
  ({
    kind: 'status-code',
    comparison: { op: 'eq', value },
  }) as const satisfies HttpConnectionManager['localReply']['mappers'][number]['filter'];
const text = (format: string) => ({ kind: 'text', format, omitEmptyValues: false }) as const;
const teapot: RouteAction = { kind: 'direct-response', status: 418, body: Buffer.from('teapot') };

t.test('local_reply_config changes status, headers, body and form; the first mapper that fits counts', async (t) => {
  const scene = await start(t, {
    routes: [forwarding('/empty', {}, 'empty'), routeOf('/tea', teapot), forwarding('/refused', {}, 'refused')],
    manager: {
      localReply: {
        mappers: [
          {
            filter: equals(404),
            status: 410,
            body: 'gone',
            headersToAdd: [
              { name: 'x-was', value: '%RESPONSE_FLAGS%-%RESPONSE_CODE%', action: 'append', keepEmptyValue: false },
            ],
          },
          { filter: { kind: 'response-flag', flags: [] }, bodyFormat: jsonFormat(), headersToAdd: [] },
          { filter: { kind: 'response-flag', flags: ['UH'] }, status: 599, headersToAdd: [] },
          { filter: equals(418), status: 204, body: '', headersToAdd: [] },
        ],
        bodyFormat: { format: text('[%RESPONSE_CODE%:%LOCAL_REPLY_BODY%:%REQ(:PATH)%]'), contentType: 'text/html' },
      },
    },
  });
  const missing = await ask(scene, get('/zzz'));
  t.match(missing, { status: 410, body: '[410:gone:/zzz]', line: '410 NR route_not_found' });
  t.match(missing.headers, /\r\nx-was: nr-404/);
  t.match(missing.headers, /\r\ncontent-type: text\/html/);
  const empty = await ask(scene, get('/empty'));
  t.equal(empty.status, 503, 'the first mapper that fits');
  t.match(JSON.parse(empty.body), { code: 503, flags: 'UH', body: /^no healthy upstream/ });
  t.match(empty.headers, /\r\ncontent-type: application\/json/);
  const grpc = await ask(scene, get('/empty', 'Content-Type: application/grpc\r\n'));
  t.match(grpc.headers, /\r\ngrpc-message: \{"body":"no healthy upstream/);
  const client = await RawClient.open(scene.port);
  await client.write(get('/tea') + get('/zzz'));
  const both = await client.until((all) => all.includes('[410:gone:/zzz]'));
  t.match(both, /^HTTP\/1\.1 204 No Content\r\n/);
  t.notMatch(both, /\[204/, 'a status without content takes none: it would be read as the next response');
  client.close();
});

function jsonFormat() {
  const fields = { code: '%RESPONSE_CODE%', body: '%LOCAL_REPLY_BODY%', flags: '%RESPONSE_FLAGS%' };
  const format = { kind: 'json', fields, omitEmptyValues: false, sortProperties: true } as const;
  return { format, contentType: 'application/json' };
}

t.test('the number of attempts is told where the virtual host asks for it', async (t) => {
  const retry = retryPolicy({ retryOn: ['reset'], numRetries: 2 });
  const origin = await RawOrigin.start(t, ({ socket }) => socket.once('data', () => socket.resetAndDestroy()));
  const host = { ...virtualHostOf([forwarding('/', { retryPolicy: retry })]), includeAttemptCountInResponse: true };
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([host], { accessLogs }))],
    clusters: [clusterOf('app', [origin.port])],
  });
  t.teardown(() => plane.stop());
  const outcome = await ask({ plane, port: plane.ports.get('http')!, origin, asked: 0 }, get('/'));
  t.match(outcome.headers, /\r\nx-envoy-attempt-count: 3/);
});
