// One request's life from its head to its log line; what attempts do is in `upstream-request.test.ts`.

import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import { BodyFraming, HttpVersion, type RequestHead } from '../../../proxy/http/message.ts';
import { Stream } from '../../../proxy/http/stream.ts';
import { ResponseFlag } from '../../../proxy/http/stream-info.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { routeOf } from '../../support/data-plane.ts';
import { anyConnection, bufferOf, FakeClient, Scene } from '../../support/http-fixtures.ts';
import { addition, forwardAction, noMutations } from '../../support/route-fixtures.ts';

function post(head: RequestHead): void {
  head.method = 'POST';
  head.framing = BodyFraming.chunked;
}

t.test('a request is forwarded with its body, the response comes back with its own', async (t) => {
  const scene = new Scene();
  const { stream, client } = scene.request(post);
  const connection = scene.connect();
  t.match(connection.requestHead, /^POST \/\nHost: shop\.example\n/);
  stream.onRequestData(bufferOf('question'), 0, 8);
  stream.onRequestEnd(null);
  t.match(connection, { requestBody: 'question', requestEnded: true });
  scene.respond(connection, 200, false, [['X-Own', 'kept']]);
  scene.data(connection, 'answer');
  scene.end(connection);
  t.match(client, { status: 200, body: 'answer', ending: 'ended', closes: false });
  t.ok(client.headers.includes('X-Own: kept'));
  t.match(stream.info, {
    responseCode: 200,
    responseCodeDetails: 'via_upstream',
    responseFlags: 0,
    requestBodyBytes: 8,
    responseBodyBytes: 6,
    attemptCount: 1,
    upstreamCluster: 'service',
    upstreamRemoteAddress: '10.0.0.1:80',
  });
});

t.test('the cluster is known by its name and by that of its statistics', async (t) => {
  const { stream } = new Scene({ clusterStatName: 'service;team=a' }).request();
  t.match(stream.info, { upstreamCluster: 'service', upstreamClusterStatName: 'service;team=a' });
});

t.test('the time of every stage is known at the end', async (t) => {
  const scene = new Scene();
  const { stream } = scene.request(post);
  scene.reactor.advance(2);
  const connection = scene.connect();
  scene.reactor.advance(3);
  stream.onRequestEnd(null);
  scene.reactor.advance(4);
  scene.respond(connection, 200, false);
  scene.reactor.advance(5);
  scene.end(connection);
  t.match(stream.info, {
    startedAtMs: 0,
    upstreamRequestStartAtMs: 2,
    requestEndAtMs: 5,
    upstreamRequestEndAtMs: 5,
    responseHeadAtMs: 9,
    responseEndAtMs: 14,
    endedAtMs: 14,
  });
});

t.test('x-envoy-upstream-service-time counts from the end of the request, and is unknown before it', async (t) => {
  const serviceTime = (headers: readonly string[]) =>
    headers.find((line) => line.startsWith('x-envoy-upstream-service-time'));
  const scene = new Scene();
  const whole = scene.request();
  scene.reactor.advance(7);
  scene.respond(scene.connect(), 200, true, [['x-envoy-upstream-service-time', '9999']]);
  t.equal(serviceTime(whole.client.headers), 'x-envoy-upstream-service-time: 7');
  const early = scene.request(post);
  scene.respond(scene.connect(), 200);
  t.equal(serviceTime(early.client.headers), undefined);
});

t.test('a hop-by-hop field that may not be nominated is a bad request', async (t) => {
  const { client, stream } = new Scene().request((head) => head.headers.append('Connection', 'host'));
  t.match(client, { status: 400, closes: true });
  t.equal(stream.info.responseFlags & ResponseFlag.downstreamProtocolError, ResponseFlag.downstreamProtocolError);
});

t.test('a head that the codec refuses is answered and logged like any other', async (t) => {
  const logged: number[] = [];
  const scene = new Scene({ accessLoggers: [{ log: ({ info }) => logged.push(info.responseCode) }] });
  const client = new FakeClient(scene.reactor as unknown as Reactor);
  const stream = new Stream(scene.manager, anyConnection, client);
  stream.onRefusedHead({ status: 431, body: '', details: 'too_large', flags: 0 }, 'the head is too large');
  t.match(client, { status: 431, body: 'the head is too large', ending: 'ended' });
  t.same(logged, [431]);
  t.equal(stream.info.responseCodeDetails, 'too_large');
});

t.test('a slow response without a byte is idle, for as long as the route says', async (t) => {
  const idle = (manager: Partial<HttpConnectionManager>, idleTimeoutMs?: number) => {
    const action = forwardAction({ timeoutMs: 0, ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }) });
    const scene = new Scene({ routes: [routeOf('/', action)], manager });
    const { client, stream } = scene.request();
    const connection = scene.connect();
    scene.respond(connection, 200, false);
    for (let piece = 0; piece < 3; piece++) {
      scene.reactor.advance(80);
      if (client.ending === 'open') scene.data(connection, 'x');
    }
    scene.reactor.advance(1000);
    return [client.body, client.ending, stream.info.responseFlags];
  };
  t.same(idle({ streamIdleTimeoutMs: 100 }), ['xxx', 'aborted', ResponseFlag.streamIdleTimeout]);
  t.same(idle({ streamIdleTimeoutMs: 50 }), ['', 'aborted', ResponseFlag.streamIdleTimeout]);
  t.same(
    idle({ streamIdleTimeoutMs: 50 }, 100),
    ['xxx', 'aborted', ResponseFlag.streamIdleTimeout],
    'with every byte anew',
  );
  t.same(idle({ streamIdleTimeoutMs: 50 }, 0), ['xxx', 'open', 0], '0 is none');
});

t.test('a client that waits in vain is told for how long nothing moved', async (t) => {
  const scene = new Scene({ routes: [routeOf('/', forwardAction({ idleTimeoutMs: 70 }))] });
  const { client } = scene.request();
  scene.connect();
  scene.reactor.advance(71);
  t.match(client, { status: 504, body: 'stream timeout; no byte moved in either direction for 70 ms' });
});

t.test('a client that stops sending is timed out as configured', async (t) => {
  const scene = new Scene({ manager: { requestTimeoutMs: 50 } });
  const { client, stream } = scene.request(post);
  const connection = scene.connect();
  scene.reactor.advance(51);
  t.match(client, { status: 408, closes: true });
  t.equal(connection.wasAborted, true);
  t.equal(stream.info.responseCodeDetails, 'request_overall_timeout');
  stream.onRequestData(bufferOf('late'), 0, 4);
  stream.onRequestEnd(null);
  t.equal(stream.acceptsRequestBody, true, 'what still comes is taken and dropped');
  t.equal(connection.requestBody, '');
});

t.test('a client that goes away frees everything', async (t) => {
  const scene = new Scene();
  const { client, stream } = scene.request();
  const connection = scene.connect();
  scene.respond(connection, 200, false);
  stream.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
  t.equal(connection.wasAborted, true);
  t.equal(stream.isDone, true);
  scene.reactor.advance(60_000);
  t.equal(client.ending, 'open', 'nobody is told any more');
  t.match(stream.info, { responseCodeDetails: 'downstream_remote_disconnect', responseCode: 200 });
});

t.test('a response that is cut is never ended in order', async (t) => {
  for (const kind of ['connection-termination', 'protocol-error'] as const) {
    const scene = new Scene();
    const { client, stream } = scene.request();
    const connection = scene.connect();
    scene.respond(connection, 200, false);
    scene.data(connection, 'half');
    scene.lose(connection, kind);
    t.match(client, { status: 200, body: 'half', ending: 'aborted' });
    t.match(stream.info.responseCodeDetails, /^upstream_reset_after_response_started/);
    t.not(stream.info.responseFlags, 0);
  }
});

t.test('interim responses reach clients that know them', async (t) => {
  const interim = (version: HttpVersion, status: number, manager: Partial<HttpConnectionManager> = {}) => {
    const scene = new Scene({ manager });
    const { client } = scene.request((head) => {
      head.version = version;
    });
    const { head, receiver } = scene.connect();
    head.status = status;
    receiver!.onInterimHead(head);
    return client.interim;
  };
  t.same(interim(HttpVersion.http11, 103), [103]);
  t.same(interim(HttpVersion.http10, 103), []);
  t.same(interim(HttpVersion.http11, 100), [], 'we have answered ourselves');
  t.same(interim(HttpVersion.http11, 100, { proxy100Continue: true }), [100]);
});

t.test('the head in front of a tunnel is the first of the response: its moment is known', async (t) => {
  const action = forwardAction({ upgrades: { websocket: true } });
  const scene = new Scene({ routes: [routeOf('/', action)] });
  const { stream } = scene.request((head) => {
    head.upgrade = 'websocket';
  });
  const connection = scene.connect();
  scene.reactor.advance(30);
  connection.head.status = 101;
  connection.head.headers.append('upgrade', 'websocket');
  connection.receiver!.onInterimHead(connection.head);
  t.match(stream.info, { responseHeadAtMs: 30, responseEndAtMs: -1 });
});

t.test('a tunnel has no timeouts but idleness, and is counted', async (t) => {
  const action = forwardAction({ timeoutMs: 50, upgrades: { websocket: true } });
  const scene = new Scene({ routes: [routeOf('/', action)], manager: { streamIdleTimeoutMs: 500 } });
  const { client, stream } = scene.request((head) => {
    head.upgrade = 'websocket';
    head.headers.append('upgrade', 'websocket');
  });
  const connection = scene.connect();
  connection.head.status = 101;
  connection.head.headers.append('upgrade', 'websocket');
  connection.receiver!.onInterimHead(connection.head);
  t.match(client, { status: 101, isTunnel: true });
  const active = () => scene.stats.get(httpStats, 'test')!.value(httpStats.downstreamCxUpgradesActive);
  t.equal(active(), 1);
  scene.reactor.advance(300);
  stream.onRequestData(bufferOf('up'), 0, 2);
  scene.data(connection, 'down');
  scene.reactor.advance(300);
  t.match(client, { ending: 'open', body: 'down' });
  t.equal(connection.requestBody, 'up');
  scene.end(connection);
  t.equal(client.ending, 'ended');
  t.equal(active(), 0);
  t.equal(scene.stats.get(clusterStats, 'service')!.value(clusterStats.upstreamRqActive), 0);
});

t.test('a route may ask for retries by headers it adds, not for timeouts', async (t) => {
  const headers = {
    ...noMutations,
    requestAdd: [
      addition('x-envoy-retry-on', '5xx'),
      addition('x-envoy-max-retries', '2'),
      addition('x-envoy-upstream-rq-timeout-ms', '10'),
    ],
  };
  const scene = new Scene({ routes: [routeOf('/', forwardAction(), { headers })] });
  const { client } = scene.request();
  for (let attempt = 0; attempt < 3; attempt++) {
    const connection = scene.connect();
    t.notMatch(connection.requestHead, /retry-on|max-retries/);
    t.match(connection.requestHead, /x-envoy-upstream-rq-timeout-ms: 10/, 'as Envoy: that one goes on');
    scene.reactor.advance(60);
    scene.respond(connection, 503);
    scene.reactor.advance(100);
  }
  t.equal(client.status, 503);
});

t.test('a route whose cluster is not there answers with its status', async (t) => {
  const action = forwardAction({ target: { kind: 'cluster', name: 'nowhere' }, clusterNotFoundStatus: 404 });
  const { client, stream } = new Scene({ routes: [routeOf('/', action)] }).request();
  t.equal(client.status, 404);
  t.equal(stream.info.responseFlags, ResponseFlag.noClusterFound);
});

t.test('a tunnel may be idle for ever, but not one that its client has ended', async (t) => {
  const hourMs = 3_600_000;
  const tunnel = (streamIdleTimeoutMs: number) => {
    const scene = new Scene({ manager: { streamIdleTimeoutMs, upgrades: { websocket: true } } });
    const { stream, client } = scene.request((head) => {
      head.upgrade = 'websocket';
    });
    const connection = scene.connect();
    connection.head.status = 101;
    connection.receiver!.onInterimHead(connection.head);
    const wait = (ms: number) => {
      scene.reactor.nowMs += ms - 1;
      scene.reactor.advance(1);
      return client.ending;
    };
    return { scene, stream, client, connection, wait };
  };
  const open = tunnel(0);
  t.equal(open.wait(30 * hourMs), 'open');
  open.stream.onTunnelInputEnd();
  t.equal(open.wait(hourMs - 1), 'open');
  open.scene.data(open.connection, 'x');
  t.equal(open.wait(hourMs - 1), 'open', 'the endpoint may still speak');
  t.equal(open.wait(2), 'aborted');
  t.equal(open.client.body, 'x');
  t.equal(open.connection.wasAborted, true);
  t.equal(open.stream.info.responseFlags, ResponseFlag.streamIdleTimeout);

  const bounded = tunnel(1000);
  bounded.stream.onTunnelInputEnd();
  t.equal(bounded.wait(1001), 'aborted', 'its own time where it has one');
});
