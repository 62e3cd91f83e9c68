// What an attempt takes and gives back; what requests make of attempts is in upstream-request.test.ts.

import t, { type Test } from 'tap';
import type { PoolWaiter } from '../../../proxy/cluster/endpoint-pool.ts';
import { UpstreamAttempt } from '../../../proxy/http/upstream-attempt.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { FakeConnection, Scene, type SceneOptions } from '../../support/http-fixtures.ts';

const waiter: PoolWaiter = { onConnectionReady: () => undefined, onConnectionFailed: () => undefined };

/** An attempt of its own beside a request that waits, whose place in the breaker and pool is not of interest. */
function begun(options: SceneOptions = {}) {
  const scene = new Scene(options);
  const { stream } = scene.request();
  scene.waiting.length = 0;
  const attempt = new UpstreamAttempt(stream, scene.cluster, 'default');
  const [endpoint] = [...scene.cluster.eachEndpoint()];
  const held = () => ({
    requests: scene.cluster.breakers.default.requests - 1,
    atEndpoint: endpoint!.activeRequests - 1,
    inFlight: scene.stats.get(clusterStats, 'service')?.value(clusterStats.upstreamRqActive) ?? 0,
    inFlightThere: scene.stats.get(endpointStats, 'service', endpoint!.addressText)?.value(endpointStats.rqActive) ?? 0,
    waiting: scene.waiting.length,
  });
  return { scene, stream, attempt, endpoint: endpoint!, held };
}

const nothing = { requests: 0, atEndpoint: 0, inFlight: 0, inFlightThere: 0, waiting: 0 };

function endsWithNothing(t: Test, { attempt, held }: ReturnType<typeof begun>): void {
  t.same(held(), nothing);
  attempt.end();
  t.same(held(), nothing, 'once');
}

t.test('a breaker that is open gives it nothing', async (t) => {
  const attempt = begun({ breaker: { maxRequests: 1 } });
  t.equal(attempt.attempt.tryBegin(attempt.endpoint), false);
  t.equal(attempt.attempt.endpoint, null);
  endsWithNothing(t, attempt);
});

t.test('an endpoint is held from its choice, a request of it is counted from its connection', async (t) => {
  const begin = begun();
  const { attempt, endpoint, held, scene } = begin;
  t.equal(attempt.tryBegin(endpoint), true);
  t.same(held(), { ...nothing, requests: 1, atEndpoint: 1 });
  t.equal(attempt.connect(waiter, false), true);
  t.same(held(), { ...nothing, requests: 1, atEndpoint: 1, waiting: 1 });
  scene.waiting.length = 0;
  attempt.onConnected(new FakeConnection(endpoint.addressText));
  t.same(held(), { ...nothing, requests: 1, atEndpoint: 1, inFlight: 1, inFlightThere: 1 });
  attempt.closeExchange();
  attempt.end();
  endsWithNothing(t, begin);
});

t.test('given up it takes back its wait, or aborts its connection', async (t) => {
  const begin = begun();
  const { attempt, endpoint, held, stream } = begin;
  attempt.tryBegin(endpoint);
  attempt.connect(waiter, false);
  attempt.abandon(waiter);
  endsWithNothing(t, begin);
  attempt.tryBegin(endpoint);
  attempt.connect(waiter, false);
  begin.scene.waiting.length = 0;
  const connection = new FakeConnection(endpoint.addressText);
  connection.stream.bytesSent = 12;
  connection.stream.bytesReceived = 40;
  connection.notes.countedReceivedBytes = 6;
  attempt.onConnected(connection);
  t.equal(held().inFlight, 1);
  attempt.abandon(waiter);
  t.equal(connection.wasAborted, true);
  t.match(stream.info, { upstreamBytesSent: 12, upstreamBytesReceived: 34 });
  endsWithNothing(t, begin);
});

t.test('how long it waited is known of one that was refused, too', async (t) => {
  const { attempt, endpoint, scene, stream } = begun();
  attempt.tryBegin(endpoint);
  attempt.connect(waiter, false);
  scene.reactor.advance(30);
  attempt.onRefused();
  t.equal(stream.info.upstreamWaitMs, 30);
});

t.test('a wait of one side for the other ends with the attempt', async (t) => {
  const { attempt, endpoint, scene } = begun();
  attempt.tryBegin(endpoint);
  attempt.onConnected(new FakeConnection(endpoint.addressText));
  attempt.flow.pauseRequest();
  const stats = () => scene.stats.get(clusterStats, 'service')!;
  t.equal(stats().value(clusterStats.upstreamFlowControlBackedUpTotal), 1);
  t.equal(stats().value(clusterStats.upstreamFlowControlDrainedTotal), 0);
  attempt.abandon(waiter);
  t.equal(stats().value(clusterStats.upstreamFlowControlDrainedTotal), 1);
});
