import fc from 'fast-check';
import t from 'tap';
import { CircuitBreaker } from '../../../proxy/cluster/circuit-breaker.ts';
import { retryLimit } from '../../../proxy/cluster/retry-budget.ts';
import { makeCluster } from '../../support/cluster-fixtures.ts';

t.test('a budget is a share of the requests, rounded down, and never less than its least', (t) => {
  const rows = [
    [20, 3, 0, 3],
    [20, 3, 15, 3],
    [20, 3, 19, 3],
    [20, 3, 20, 4],
    [12.5, 0, 7, 0],
    [12.5, 0, 8, 1],
    [0, 0, 1000, 0],
    [100, 0, 1000, 1000],
    // In binary fractions 29 % of 100 is less than 29: as Envoy computes it, so do we.
    [29, 0, 100, Math.trunc((29 / 100) * 100)],
  ] as const;
  for (const [percent, minConcurrency, active, expected] of rows) {
    t.equal(retryLimit({ percent, minConcurrency }, active), expected, `${percent} % of ${active}`);
  }
  t.end();
});

type Step = 'request' | 'end request' | 'retry' | 'end retry';

t.test('after any sequence a retry is allowed exactly where the requests of now allow one more', (t) => {
  const steps = fc.array(fc.constantFrom<Step>('request', 'request', 'end request', 'retry', 'retry', 'end retry'), {
    maxLength: 100,
  });
  const budget = fc.record({ percent: fc.double({ min: 0, max: 100, noNaN: true }), minConcurrency: fc.nat(4) });
  fc.assert(
    fc.property(steps, budget, (sequence, retryBudget) => {
      const breaker = new CircuitBreaker({ ...makeCluster().circuitBreakers.default, maxRetries: 0, retryBudget });
      let requests = 0;
      let retries = 0;
      for (const step of sequence) {
        if (step === 'request') {
          breaker.tryAcquireRequest();
          requests++;
        } else if (step === 'end request' && requests > 0) {
          breaker.releaseRequest();
          requests--;
        } else if (step === 'retry') {
          const { percent, minConcurrency } = retryBudget;
          // The rule without its rounding: one more is allowed as long as all together are no more than the share.
          const isAllowed = retries + 1 <= minConcurrency || retries + 1 <= (percent / 100) * requests;
          if (breaker.tryAcquireRetry() !== isAllowed) return false;
          if (isAllowed) retries++;
        } else if (step === 'end retry' && retries > 0) {
          breaker.releaseRetry();
          retries--;
        }
        if (breaker.retries !== retries) return false;
      }
      for (; requests > 0; requests--) breaker.releaseRequest();
      for (; retries > 0; retries--) breaker.releaseRetry();
      return breaker.isIdle;
    }),
    { numRuns: 500, seed: 20_261_122 },
  );
  t.end();
});
