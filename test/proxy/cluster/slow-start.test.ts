import fc from 'fast-check';
import t from 'tap';
import type { LoadBalancer, SlowStart } from '../../../config/cluster.ts';
import type { Endpoint } from '../../../config/endpoint.ts';
import type { Balancer } from '../../../proxy/cluster/balancer.ts';
import { compileBalancer } from '../../../proxy/cluster/balancer-compiler.ts';
import { buildEndpointSet } from '../../../proxy/cluster/endpoint-set.ts';
import { slowStartFactor } from '../../../proxy/cluster/slow-start.ts';
import {
  makeAssignment,
  makeContext,
  makeEndpoint,
  makeLocality,
  makeOwner,
  seededRandom,
} from '../../support/cluster-fixtures.ts';

const minute: SlowStart = { windowMs: 60_000, aggression: 1, minWeightPercent: 10 };

interface Member extends Partial<Pick<Endpoint, 'weight' | 'health'>> {
  readonly joinedMs: number;
}

interface Given {
  readonly slowStart?: SlowStart;
  readonly kind?: 'round-robin' | 'least-request';
  readonly nowMs?: number;
}

const never = Number.NEGATIVE_INFINITY;

function make(members: readonly Member[], { slowStart = minute, kind = 'round-robin', nowMs = 0 }: Given = {}) {
  const owner = makeOwner();
  const endpoints = members.map((member, at) => makeEndpoint(`10.0.0.${at + 1}`, member));
  const set = buildEndpointSet(makeAssignment([makeLocality(endpoints)]), {
    owner,
    previous: [],
    isKeyedByName: false,
    panicThresholdPercent: 50,
    localityWeighted: false,
  });
  for (const [at, { joinedMs }] of members.entries()) set.endpoints[at]!.healthySinceMs = joinedMs;
  const policy: LoadBalancer['policy'] =
    kind === 'round-robin' ? { kind, slowStart } : { kind, choiceCount: 2, activeRequestBias: 1, slowStart };
  const time = { nowMs, asked: 0 };
  const clock = () => {
    time.asked++;
    return time.nowMs;
  };
  const balancer = compileBalancer(set, { policy, random: seededRandom(5), clock, owner });
  return { balancer, endpoints: set.endpoints, time };
}

/** How often each of `members` was chosen. */
function count(balancer: Balancer, choices: number, members: number): number[] {
  const context = makeContext();
  const counts = new Array<number>(members).fill(0);
  for (let choice = 0; choice < choices; choice++) {
    const member = Number(balancer.choose(context)!.key.split(/[.:]/)[3]) - 1;
    counts[member]! += 1;
  }
  return counts;
}

t.test('the weight grows from the least share along the window, by the curve of aggression', (t) => {
  const factor = (ageMs: number, given: Partial<SlowStart> = {}) => slowStartFactor(ageMs, { ...minute, ...given });
  t.equal(factor(0), 0.1);
  t.equal(factor(6_000), 0.1);
  t.equal(factor(30_000), 0.5);
  t.equal(factor(60_000), 1);
  t.equal(factor(Number.POSITIVE_INFINITY), 1);
  t.equal(factor(15_000, { aggression: 2 }), 0.5, 'quick at first');
  t.equal(factor(30_000, { aggression: 0.5 }), 0.25, 'slow at first');
  t.equal(factor(0, { minWeightPercent: 0 }), 1 / 60_000, 'the first millisecond counts as over');
  t.equal(factor(0, { minWeightPercent: 0, aggression: 0.01 }), 1e-6, 'never nothing at all');
  t.equal(factor(10, { minWeightPercent: 100 }), 1);
  t.end();
});

t.test('round robin: shares follow the formula at any time of the window', (t) => {
  const member = fc.record({ weight: fc.integer({ min: 1, max: 8 }), joinedMs: fc.integer({ min: 0, max: 60_000 }) });
  const slowStart = fc.record({
    windowMs: fc.integer({ min: 1_000, max: 60_000 }),
    aggression: fc.constantFrom(0.5, 1, 2.5),
    minWeightPercent: fc.constantFrom(5, 10, 50),
  });
  fc.assert(
    fc.property(fc.array(member, { minLength: 2, maxLength: 6 }), slowStart, (members, slowStart) => {
      const { balancer, time } = make(members, { slowStart, nowMs: 60_000 });
      for (let step = 0; step < 4; step++) {
        const choices = 3000;
        const counts = count(balancer, choices, members.length);
        const weights = members.map(
          ({ weight, joinedMs }) => weight * slowStartFactor(time.nowMs - joinedMs, slowStart),
        );
        const sum = weights.reduce((all, weight) => all + weight, 0);
        // Each is due once around its turn; a step in between moves what it waits for.
        for (const [at, weight] of weights.entries()) {
          if (Math.abs(counts[at]! - (choices * weight) / sum) > members.length + 1) return false;
        }
        // More than the longest step.
        time.nowMs += 1000 + slowStart.windowMs / 4;
      }
      return true;
    }),
    { numRuns: 200 },
  );
  t.end();
});

t.test('one request a second is enough for a new endpoint to get what it should in its window', (t) => {
  const slowStart = { ...minute, minWeightPercent: 1 };
  const members = [{ joinedMs: never }, { joinedMs: 0 }];
  const { balancer, time } = make(members, { slowStart });
  let chosen = 0;
  let expected = 0;
  for (; time.nowMs < 60_000; time.nowMs += 1000) {
    chosen += count(balancer, 1, 2)[1]!;
    const factor = slowStartFactor(time.nowMs, slowStart);
    expected += factor / (1 + factor);
  }
  t.ok(expected > 17 && expected < 19, `${expected}`);
  t.ok(Math.abs(chosen - expected) <= 2, `${chosen} of ${expected}`);
  t.end();
});

t.test('least request: a new endpoint weighs less beside idle ones, and less still while it is busy', (t) => {
  const share = (active: number, nowMs: number) => {
    const { balancer, endpoints } = make([{ joinedMs: never }, { joinedMs: 0 }], { kind: 'least-request', nowMs });
    endpoints[1]!.activeRequests = active;
    return count(balancer, 4000, 2)[1]! / 4000;
  };
  t.ok(Math.abs(share(0, 15_000) - 0.25 / 1.25) < 0.01);
  t.ok(Math.abs(share(0, 45_000) - 0.75 / 1.75) < 0.01);
  t.ok(Math.abs(share(2, 45_000) - 0.25 / 1.25) < 0.01, 'a weight of 0.75, divided by 3');
  t.end();
});

t.test('least request follows while the window runs', (t) => {
  const { balancer, time } = make([{ joinedMs: never }, { joinedMs: 0 }], { kind: 'least-request' });
  const shares = [0, 20_000, 40_000].map((nowMs) => {
    time.nowMs = nowMs;
    return count(balancer, 3000, 2)[1]! / 3000;
  });
  for (const [at, expected] of [0.1 / 1.1, 1 / 4, 0.4].entries()) {
    t.ok(Math.abs(shares[at]! - expected) < 0.01, `${shares}`);
  }
  t.end();
});

t.test('once the window is over the choice is the plain one, and nobody asks the clock any more', (t) => {
  for (const kind of ['round-robin', 'least-request'] as const) {
    const members = [{ joinedMs: never }, { joinedMs: 0 }, { joinedMs: 0 }];
    const { balancer, endpoints, time } = make(members, { kind });
    t.ok(count(balancer, 1200, 3)[0]! > 950, kind);
    time.nowMs = 60_000;
    balancer.choose(makeContext());
    const { asked } = time;
    t.ok(asked > 0);
    if (kind === 'round-robin') t.same(count(balancer, 300, 3), [100, 100, 100]);
    else {
      endpoints[0]!.activeRequests = 1;
      const [busy] = count(balancer, 9000, 3);
      t.ok(Math.abs(busy! - 1000) < 150, `both draws fall on it: ${busy}`);
    }
    t.equal(time.asked, asked);
  }
  t.end();
});

t.test('where nobody is new, or there is one endpoint, the choice is plain at once', (t) => {
  for (const members of [[{ joinedMs: never }, { joinedMs: -60_000 }], [{ joinedMs: 0 }]]) {
    const { balancer, time } = make(members);
    const { asked } = time;
    count(balancer, 10, members.length);
    t.equal(time.asked, asked);
  }
  t.end();
});

t.test('an endpoint that is not healthy has its full weight where it is taken nevertheless', (t) => {
  const panic = make([{ joinedMs: 0, health: 'unhealthy' }, { joinedMs: 0, health: 'unhealthy' }, { joinedMs: 0 }]);
  t.same(count(panic.balancer, 210, 3), [100, 100, 10]);
  const degraded = make([
    { joinedMs: 0, health: 'degraded', weight: 3 },
    { joinedMs: 0, health: 'degraded' },
  ]);
  t.same(count(degraded.balancer, 400, 2), [300, 100]);
  t.end();
});

t.test('a step while nobody was chosen costs nobody a turn', (t) => {
  const members = [{ joinedMs: never }, { joinedMs: 0 }];
  const { balancer, time } = make(members, { slowStart: { ...minute, minWeightPercent: 0, aggression: 0.25 } });
  count(balancer, 50, 2);
  // The wait that began at one millionth of the weight is not waited for.
  time.nowMs = 59_000;
  const [, late] = count(balancer, 100, 2);
  t.ok(Math.abs(late! - 48) <= 2, `${late}`);
  t.end();
});
