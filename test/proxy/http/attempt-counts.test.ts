// What a request's attempts count, each event by its own.

import t from 'tap';
import { BodyFraming } from '../../../proxy/http/message.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { routeOf } from '../../support/data-plane.ts';
import { bufferOf, Scene } from '../../support/http-fixtures.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';

const ofCluster = (scene: Scene, key: keyof typeof clusterStats) =>
  scene.stats.get(clusterStats, 'service')?.value(clusterStats[key] as number) ?? 0;
const ofManager = (scene: Scene, key: keyof typeof httpStats) =>
  scene.stats.get(httpStats, 'test')!.value(httpStats[key] as number);

t.test('a body that the endpoint does not take is counted once, and once more when it goes on', async (t) => {
  const scene = new Scene();
  const { stream } = scene.request((head) => {
    head.method = 'POST';
    head.framing = BodyFraming.chunked;
  });
  const counted = () => [
    ofCluster(scene, 'upstreamFlowControlBackedUpTotal'),
    ofManager(scene, 'downstreamFlowControlPausedReadingTotal'),
    ofCluster(scene, 'upstreamFlowControlDrainedTotal'),
    ofManager(scene, 'downstreamFlowControlResumedReadingTotal'),
  ];
  stream.onRequestPaused();
  t.same(counted(), [0, 0, 0, 0], 'nobody is slow where there is no connection yet');
  const connection = scene.connect();
  stream.onRequestData(bufferOf('x'), 0, 1);
  connection.isRequestBlocked = true;
  stream.onRequestPaused();
  stream.onRequestPaused();
  t.same(counted(), [1, 1, 0, 0]);
  connection.isRequestBlocked = false;
  connection.receiver!.onRequestDrained();
  connection.receiver!.onRequestDrained();
  t.same(counted(), [1, 1, 1, 1]);
});

t.test('each attempt has waits of its own, which end with it', async (t) => {
  const retry = retryPolicy({ retryOn: ['reset'], numRetries: 1 });
  const scene = new Scene({ routes: [routeOf('/', forwardAction({ retryPolicy: retry }))] });
  const { stream } = scene.request((head) => {
    head.method = 'POST';
    head.framing = BodyFraming.chunked;
  });
  const counted = () => [
    ofCluster(scene, 'upstreamFlowControlBackedUpTotal'),
    ofManager(scene, 'downstreamFlowControlPausedReadingTotal'),
    ofCluster(scene, 'upstreamFlowControlDrainedTotal'),
    ofManager(scene, 'downstreamFlowControlResumedReadingTotal'),
  ];
  const wait = () => {
    const connection = scene.connect();
    stream.onRequestData(bufferOf('x'), 0, 1);
    connection.isRequestBlocked = true;
    stream.onRequestPaused();
    return connection;
  };
  scene.lose(wait());
  t.same(counted(), [1, 1, 1, 1], 'as Envoy counts when an attempt is cleaned up');
  scene.reactor.advance(1000);
  scene.lose(wait());
  t.same(counted(), [2, 2, 2, 2]);
});

t.test('a response that the client does not take is counted once, and once more when it goes on', async (t) => {
  const scene = new Scene();
  const { stream, client } = scene.request();
  const connection = scene.connect();
  scene.respond(connection, 200, false);
  const counted = () => [
    ofCluster(scene, 'upstreamFlowControlPausedReadingTotal'),
    ofCluster(scene, 'upstreamFlowControlResumedReadingTotal'),
  ];
  connection.receiver!.onResponseData(bufferOf('x'), 0, 1);
  t.same(counted(), [0, 0]);
  client.isResponseBlocked = true;
  connection.receiver!.onResponseData(bufferOf('x'), 0, 1);
  connection.receiver!.onResponseRelayed(1);
  t.same(counted(), [1, 0]);
  client.isResponseBlocked = false;
  stream.onResponseDrained();
  stream.onResponseDrained();
  t.same(counted(), [1, 1]);
});

t.test('an endpoint that breaks the protocol, and one that announces its close, are counted', async (t) => {
  const scene = new Scene();
  scene.request();
  scene.lose(scene.connect());
  t.equal(ofCluster(scene, 'upstreamCxProtocolError'), 0);
  scene.request();
  scene.lose(scene.connect(), 'protocol-error');
  t.equal(ofCluster(scene, 'upstreamCxProtocolError'), 1);
  scene.request();
  scene.respond(scene.connect(), 200);
  t.equal(ofCluster(scene, 'upstreamCxCloseNotify'), 0);
  scene.request();
  const connection = scene.connect();
  connection.head.keepAlive = false;
  scene.respond(connection, 200);
  t.equal(ofCluster(scene, 'upstreamCxCloseNotify'), 1);
  scene.request();
  const ending = scene.connect();
  ending.head.keepAlive = false;
  ending.head.framing = BodyFraming.untilClose;
  scene.respond(ending, 200);
  t.equal(ofCluster(scene, 'upstreamCxCloseNotify'), 1, 'a body that ends with its connection is no notice');
});

t.test('a response that is cut is a reset of ours, by the endpoint or by a timeout', async (t) => {
  const counted = (scene: Scene) => ofManager(scene, 'downstreamRqTxReset');
  const lost = new Scene();
  lost.request();
  const connection = lost.connect();
  lost.respond(connection, 200, false);
  t.equal(counted(lost), 0);
  lost.lose(connection);
  t.equal(counted(lost), 1);

  const late = new Scene({ routes: [routeOf('/', forwardAction({ timeoutMs: 100 }))] });
  late.request();
  late.respond(late.connect(), 200, false);
  late.reactor.advance(101);
  t.equal(counted(late), 1);

  const idle = new Scene({ manager: { streamIdleTimeoutMs: 100 } });
  idle.request();
  idle.respond(idle.connect(), 200, false);
  idle.reactor.advance(101);
  t.equal(counted(idle), 1);

  const refused = new Scene();
  refused.request();
  refused.refuse();
  t.equal(counted(refused), 0);
});

t.test('a request above the limit of requests is not one above that of waiting ones', (t) => {
  const scene = new Scene({ breaker: { maxRequests: 1 } });
  scene.request();
  const { client } = scene.request();
  t.equal(client.status, 503);
  t.same([ofCluster(scene, 'upstreamRqActiveOverflow'), ofCluster(scene, 'upstreamRqPendingOverflow')], [1, 0]);
  t.end();
});
