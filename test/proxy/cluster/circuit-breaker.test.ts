import fc from 'fast-check';
import t from 'tap';
import { CircuitBreaker } from '../../../proxy/cluster/circuit-breaker.ts';
import { circuitBreakerStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { makeStatsSource } from '../../support/cluster-fixtures.ts';

const limits = { maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 0, trackRemaining: false };
const stats = circuitBreakerStats.default;

t.test('each resource has its own limit', (t) => {
  const breaker = new CircuitBreaker(limits);
  t.same([breaker.tryAcquireConnection(), breaker.tryAcquireConnection()], [true, false]);
  t.same(
    [1, 2, 3].map(() => breaker.tryAcquirePendingRequest()),
    [true, true, false],
  );
  t.same(
    [1, 2, 3, 4].map(() => breaker.tryAcquireRequest()),
    [true, true, true, false],
  );
  t.equal(breaker.tryAcquireRetry(), false, 'a limit of 0 allows none');
  t.same(
    [breaker.connections, breaker.pendingRequests, breaker.requests, breaker.retries],
    [1, 2, 3, 0],
    'what was refused is not counted',
  );
  breaker.releaseConnection();
  t.equal(breaker.tryAcquireConnection(), true, 'what was released can be had again');
  t.end();
});

t.test('a connection beyond the limit closes the breaker only when both are back', (t) => {
  const breaker = new CircuitBreaker(limits);
  breaker.tryAcquireConnection();
  breaker.acquireConnection();
  t.equal(breaker.connections, 2);
  breaker.releaseConnection();
  t.equal(breaker.tryAcquireConnection(), false);
  breaker.releaseConnection();
  t.equal(breaker.isIdle, true);
  t.equal(breaker.tryAcquireConnection(), true);
  t.end();
});

t.test('new limits keep what is held', (t) => {
  const breaker = new CircuitBreaker(limits);
  breaker.tryAcquireRequest();
  breaker.tryAcquireRequest();
  breaker.updateLimits({ ...limits, maxRequests: 1 });
  t.equal(breaker.requests, 2);
  breaker.releaseRequest();
  t.equal(breaker.tryAcquireRequest(), false);
  breaker.updateLimits({ ...limits, maxRequests: 2 });
  t.equal(breaker.tryAcquireRequest(), true);
  t.end();
});

t.test('gauges say what is open and, when asked for, what remains', (t) => {
  const gauges = makeStatsSource().breakerBlock('fruit', 'default');
  const breaker = new CircuitBreaker(limits);
  breaker.publish(gauges);
  t.equal(gauges.get(stats.rqRetryOpen), 1);
  t.equal(gauges.get(stats.cxOpen), 0);
  breaker.tryAcquireConnection();
  t.equal(gauges.get(stats.cxOpen), 1);
  breaker.acquireConnection();
  breaker.releaseConnection();
  t.equal(gauges.get(stats.cxOpen), 1);
  breaker.updateLimits({ ...limits, maxConnections: 5, trackRemaining: true });
  t.equal(gauges.get(stats.cxOpen), 0);
  t.equal(gauges.get(stats.remainingCx), 4);
  t.equal(gauges.get(stats.remainingRq), 3);
  breaker.tryAcquireRequest();
  t.equal(gauges.get(stats.remainingRq), 2);
  breaker.releaseConnection();
  t.equal(gauges.get(stats.remainingCx), 5);
  t.end();
});

t.test('a retry budget takes the place of max_retries, and its gauges are those of Envoy', (t) => {
  const gauges = makeStatsSource().breakerBlock('fruit', 'default');
  const budget = { percent: 50, minConcurrency: 2 };
  const breaker = new CircuitBreaker({
    ...limits,
    maxRequests: 100,
    maxRetries: 1,
    trackRemaining: true,
    retryBudget: budget,
  });
  breaker.publish(gauges);
  t.equal(gauges.get(stats.remainingRetries), 0, 'what remains of a budget is not said');
  t.equal(breaker.tryAcquireRetry(), true);
  t.equal(gauges.get(stats.rqRetryOpen), 1, 'the gauge is of max_retries');
  t.equal(breaker.tryAcquireRetry(), true, 'which the least of the budget goes beyond');
  t.equal(breaker.tryAcquireRetry(), false);
  for (let request = 0; request < 6; request++) breaker.tryAcquireRequest();
  t.equal(breaker.tryAcquireRetry(), true, 'half of six');
  t.equal(gauges.get(stats.rqActive), 6, 'who asks what it allows reads it here');
  t.equal(breaker.tryAcquireRetry(), false);
  t.equal(gauges.get(stats.remainingRetries), 0);
  breaker.releaseRequest();
  t.equal(gauges.get(stats.rqActive), 5);
  breaker.updateLimits({ ...limits, maxRetries: 4, trackRemaining: true });
  t.equal(gauges.get(stats.remainingRetries), 1, 'without a budget the limit counts what is held');
  t.equal(gauges.get(stats.rqRetryOpen), 0);
  t.equal(breaker.tryAcquireRetry(), true);
  t.equal(breaker.tryAcquireRetry(), false);
  t.end();
});

t.test('counters are never negative and always what is held; the gauge is always true', (t) => {
  const step = fc.constantFrom('try', 'force', 'release', 'limit 0', 'limit 2', 'limit 5');
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const gauges = makeStatsSource().breakerBlock('fruit', 'default');
      const breaker = new CircuitBreaker(limits);
      breaker.publish(gauges);
      let held = 0;
      let limit = limits.maxConnections;
      for (const step of steps) {
        if (step === 'try') {
          const isAllowed = held < limit;
          if (breaker.tryAcquireConnection() !== isAllowed) return false;
          if (isAllowed) held++;
        } else if (step === 'force') {
          breaker.acquireConnection();
          held++;
        } else if (step === 'release') {
          if (held > 0) {
            breaker.releaseConnection();
            held--;
          }
        } else {
          limit = Number(step.slice(6));
          breaker.updateLimits({ ...limits, maxConnections: limit });
        }
        if (breaker.connections !== held || held < 0) return false;
        if (gauges.get(stats.cxOpen) !== (held >= limit ? 1 : 0)) return false;
      }
      return true;
    }),
  );
  t.end();
});
