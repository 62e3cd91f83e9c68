import t from 'tap';
import { CircuitBreaker } from '../../../proxy/cluster/circuit-breaker.ts';
import type { EndpointRuntime } from '../../../proxy/cluster/endpoint-runtime.ts';
import type { ResponseHead } from '../../../proxy/http/message.ts';
import { RetryState } from '../../../proxy/http/retry-state.ts';
import { ResponseFlag, StreamInfo } from '../../../proxy/http/stream-info.ts';
import { CompiledRetryPolicy } from '../../../proxy/route/retry-policy.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { makeCluster, makeStatsSource } from '../../support/cluster-fixtures.ts';
import { response, retryPolicy } from '../../support/route-fixtures.ts';

function stateOf(policy: Parameters<typeof retryPolicy>[0], maxRetries = 3) {
  const store = new StatsStore();
  const stats = makeStatsSource(store).clusterBlock('fruit');
  const breaker = new CircuitBreaker({ ...makeCluster().circuitBreakers.default, maxRetries });
  const state = new RetryState(new CompiledRetryPolicy(retryPolicy(policy)), breaker, stats);
  return { state, breaker, value: (index: number) => store.get(clusterStats, 'fruit')!.value(index) };
}

t.test('as many retries are given as the policy has, then the flag says why not', async (t) => {
  const { state, breaker, value } = stateOf({ numRetries: 2 });
  const info = new StreamInfo();
  t.equal(state.take(info), true);
  t.equal(state.take(info), true);
  t.equal(breaker.retries, 1, 'the retry before is over when the next is taken');
  t.equal(info.responseFlags, 0);
  t.equal(state.take(info), false);
  t.equal(info.responseFlags, ResponseFlag.upstreamRetryLimitExceeded);
  t.equal(breaker.retries, 0);
  t.equal(value(clusterStats.upstreamRqRetry), 2);
  t.equal(value(clusterStats.upstreamRqRetryLimitExceeded), 1);
});

t.test('a cluster that retries as much as it may gives none', async (t) => {
  const { state, breaker, value } = stateOf({ numRetries: 2 }, 1);
  breaker.tryAcquireRetry();
  const info = new StreamInfo();
  t.equal(state.take(info), false);
  t.equal(info.responseFlags, ResponseFlag.upstreamOverflow);
  t.equal(value(clusterStats.upstreamRqRetryOverflow), 1);
  state.release();
  t.equal(breaker.retries, 1, 'what was not taken is not given back');
  breaker.releaseRetry();
  t.equal(state.take(info), true);
  state.release();
  state.release();
  t.equal(breaker.retries, 0);
});

t.test('the wait grows with the retries, and is never nothing', async (t) => {
  const { state } = stateOf({ numRetries: 9, backoffBaseMs: 10, backoffMaxMs: 30 });
  const waits = [1, 2, 3, 4].map(() => {
    state.take(new StreamInfo());
    return state.delayMs(() => 0.5);
  });
  t.same(waits, [5, 10, 15, 15]);
  t.equal(
    state.delayMs(() => 0),
    1,
  );
});

t.test('a wait that a response asks for is for this response only, and no turn of those that grow', async (t) => {
  const rateLimitedBackOff = { resetHeaders: [{ name: 'retry-after', format: 'seconds' }], maxMs: 10_000 } as const;
  const { state, value } = stateOf({ numRetries: 9, backoffBaseMs: 10, backoffMaxMs: 100, rateLimitedBackOff });
  const wait = (head: ResponseHead | null, random: number) => {
    state.take(new StreamInfo());
    if (head !== null) state.heed(head, 0);
    return state.delayMs(() => random);
  };
  t.equal(wait(null, 0.5), 5);
  t.equal(wait(response(429, [['retry-after', '4']]), 0), 4000);
  t.equal(wait(response(429, [['retry-after', '4']]), 0.999), 5998, 'up to half longer');
  t.equal(wait(null, 0.5), 10, 'the next turn');
  t.equal(wait(response(429), 0.5), 20, 'nothing asked for');
  t.equal(value(clusterStats.upstreamRqRetryBackoffRatelimited), 2);
  t.equal(value(clusterStats.upstreamRqRetryBackoffExponential), 3);
  t.equal(value(clusterStats.upstreamRqRetry), 5);
});

t.test('endpoints are remembered only for a policy that avoids them', async (t) => {
  const endpoint = {} as EndpointRuntime;
  const minds = stateOf({ avoidPreviousHosts: true }).state;
  minds.leave(endpoint);
  t.same(minds.excluded, [endpoint]);
  const careless = stateOf({}).state;
  careless.leave(endpoint);
  t.equal(careless.excluded, null);
});
