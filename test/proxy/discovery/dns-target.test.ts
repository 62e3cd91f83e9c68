import t from 'tap';
import type { DnsOptions } from '../../../config/cluster.ts';
import type { QueryOutcome } from '../../../proxy/discovery/dns-query.ts';
import { DnsTarget } from '../../../proxy/discovery/dns-target.ts';

const options: DnsOptions = {
  family: 'v6-only',
  refreshRateMs: 5000,
  respectTtl: true,
  failureRefreshBaseMs: 1000,
  failureRefreshMaxMs: 4000,
  jitterMs: 0,
  resolvers: [],
};

const failed: QueryOutcome = { kind: 'failed', reason: 'time-out' };
const answered = (ttlMs: number | null): QueryOutcome => ({ kind: 'answered', ips: ['::1'], ttlMs });

/** A target whose answers come when the test gives them. */
function make(given: Partial<DnsOptions> = {}, random = () => 0.5) {
  const asked: string[] = [];
  const outcomes: QueryOutcome[] = [];
  const delays: number[] = [];
  let answer = Promise.withResolvers<QueryOutcome>();
  let next: (() => void) | null = null;
  const target = new DnsTarget({
    hostname: 'app.test',
    dns: { ...options, ...given },
    resolver: {
      resolve: (hostname, family) => {
        answer = Promise.withResolvers();
        asked.push(`${hostname} ${family}`);
        return answer.promise;
      },
    },
    schedule: (delayMs, callback) => {
      delays.push(delayMs);
      next = callback;
      return () => {
        next = null;
      };
    },
    random,
    onAttempt: () => asked.push('attempt'),
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  const give = async (outcome: QueryOutcome) => {
    answer.resolve(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { target, asked, outcomes, delays, give, next: () => next };
}

t.test('asks for its name and family, reports, and asks again when it is time', async (t) => {
  const { target, asked, outcomes, delays, give, next } = make();
  target.start();
  t.same(asked, ['attempt', 'app.test v6-only']);
  await give(answered(30_000));
  t.same(outcomes, [answered(30_000)]);
  t.same(delays, [30_000]);
  next()!();
  t.equal(asked.length, 4);
});

t.test('failures back off to the maximum, with jitter, and a success begins anew', async (t) => {
  const { target, delays, give, next } = make();
  target.start();
  for (let attempt = 0; attempt < 4; attempt++) {
    await give(failed);
    next()!();
  }
  await give(answered(null));
  next()!();
  await give(failed);
  t.same(delays, [500, 1000, 2000, 2000, 5000, 500]);
});

t.test('a draw of 0 is no busy loop', async (t) => {
  const { target, delays, give } = make({}, () => 0);
  target.start();
  await give(failed);
  t.same(delays, [1]);
});

t.test('after a stop nothing is called any more, whenever it came', async (t) => {
  const during = make();
  during.target.start();
  during.target.stop();
  await during.give(answered(null));
  t.same(during.outcomes, []);
  t.same(during.delays, []);
  const between = make();
  between.target.start();
  await between.give(answered(null));
  between.target.stop();
  t.equal(between.next(), null);
});
