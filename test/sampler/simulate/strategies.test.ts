import t from 'tap';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { HeadSampling } from '../../../sampler/simulate/head-sampling.ts';
import { OutriggerSampling } from '../../../sampler/simulate/outrigger-sampling.ts';
import { replay } from '../../../sampler/simulate/replay.ts';
import { randomHex, seededRandom } from '../../../sampler/simulate/seeded-random.ts';
import { type SimulatedRequest, simulatedTrace } from '../../../sampler/simulate/simulated-request.ts';
import type { Keep, KeptRequest, Strategy } from '../../../sampler/simulate/strategy.ts';
import { TailSampling } from '../../../sampler/simulate/tail-sampling.ts';
import { TokenBucket } from '../../../sampler/simulate/token-bucket.ts';

const random = seededRandom(3);

function requestsAt(atMs: number, count: number, facts: Partial<SimulatedRequest> = {}): readonly SimulatedRequest[] {
  return Array.from({ length: count }, () => {
    const trace = simulatedTrace(randomHex(random, 32));
    return { service: 'a', atMs, durationMs: 1, route: '/', method: 'GET', status: 200, trace, ...facts };
  });
}

function keptOf(requests: readonly SimulatedRequest[], make: (keep: Keep) => Strategy) {
  const kept: KeptRequest[] = [];
  const strategy = make((each) => kept.push(each));
  replay(requests, [strategy]);
  return { kept, strategy };
}

t.test('head sampling keeps 1 % of traces, and what is called in them', (t) => {
  const roots = requestsAt(0, 20_000);
  const calls = roots.map((root) => ({ ...root, service: 'b', atMs: 0.5, durationMs: 0.1 }));
  const { kept, strategy } = keptOf([...roots, ...calls], (keep) => new HeadSampling(keep));
  t.ok(Math.abs(kept.length / 2 - 200) < 4 * Math.sqrt(200), `${kept.length / 2} traces of 20,000 (seed 3)`);
  t.equal(new Set(kept.map(({ request }) => request.trace)).size, kept.length / 2);
  t.ok(kept.every(({ weight }) => weight === 100));
  t.equal(strategy.spansSent, kept.length);
  t.end();
});

t.test('a token bucket keeps the first of a second and no more, in each service', (t) => {
  const requests = [...requestsAt(0, 30), ...requestsAt(0, 5, { service: 'b' }), ...requestsAt(500, 30)];
  const { kept } = keptOf(requests, (keep) => new TokenBucket(10, keep));
  const at = (service: string, atMs: number) =>
    kept.filter(({ request }) => request.service === service && request.atMs === atMs).length;
  t.same([at('a', 0), at('b', 0), at('a', 500)], [10, 5, 5], 'half a second earns half of them');
  t.ok(
    kept.every(({ weight }) => weight === 65 / 20),
    'all are scaled alike: their spans say nothing else',
  );
  t.end();
});

t.test('a token bucket chooses where a trace begins; the others follow', (t) => {
  const roots = requestsAt(0, 3);
  const calls = roots.map((root) => ({ ...root, service: 'b', atMs: 0.5 }));
  const { kept } = keptOf([...roots, ...calls], (keep) => new TokenBucket(1, keep));
  t.same(
    kept.map(({ request }) => request),
    [roots[0], calls[0]],
  );
  t.end();
});

t.test('tail sampling keeps traces with an error or a slow request, others by chance, after its wait', (t) => {
  const failed = requestsAt(0, 3, { status: 503 });
  const slow = requestsAt(0, 2, { durationMs: 1500 });
  const caller = { ...failed[0]!, service: 'b', status: 200 };
  const plain = requestsAt(0, 10_000);
  const later = requestsAt(40_000, 1);
  const requests = [...failed, ...slow, caller, ...plain, ...later];
  const { kept, strategy } = keptOf(requests, (keep) => new TailSampling({ slowMs: 1000 }, keep));
  const surely = kept.filter(({ weight }) => weight === 1).map(({ request }) => request);
  t.same(new Set(surely), new Set([...failed, caller, ...slow]));
  const byChance = kept.filter(({ weight }) => weight === 100).length;
  t.ok(byChance > 60 && byChance < 140, `${byChance} of 10,000 by chance (seed 3)`);
  t.ok(kept.every(({ request, atMs }) => atMs >= request.atMs + request.durationMs + 30_000));
  t.equal(strategy.spansSent, requests.length, 'every span goes to the collector');
  t.equal(strategy.mostHeld, requests.length - 1, 'and waits there');
  t.end();
});

t.test('tail sampling loses the oldest traces when it has no room for more', (t) => {
  const first = requestsAt(0, 1, { status: 503 });
  const requests = [...first, ...requestsAt(10, 50_000), ...requestsAt(20, 1, { status: 503 })];
  const { kept, strategy } = keptOf(requests, (keep) => new TailSampling({ slowMs: 1000 }, keep));
  t.equal(strategy.mostHeld, 50_000);
  const errors = kept.filter(({ request }) => request.status === 503).map(({ request }) => request);
  t.same(errors, [requests.at(-1)]);
  t.end();
});

t.test(
  'ours decides where a trace begins, keeps errors and slow ones of the others, and says what each stands for',
  (t) => {
    const settings = { ...defaultSettings, baseRate: 0, rules: [] };
    const roots = requestsAt(0, 100);
    const failed = { ...roots[0]!, service: 'b', status: 503, atMs: 0.5 };
    const slow = { ...roots[1]!, service: 'b', durationMs: 2000, atMs: 0.5 };
    const refused = { ...roots[2]!, service: 'b', status: 404, atMs: 0.5 };
    const requests = [...roots, failed, slow, refused];
    const { kept, strategy } = keptOf(requests, (keep) => new OutriggerSampling(settings, keep));
    t.same(
      kept.map(({ request, weight }) => [request, weight]),
      [
        [failed, 1],
        [slow, 1],
      ],
    );
    t.equal(strategy.spansSent, 2);
    t.end();
  },
);

t.test('ours keeps a new key whole, and no more than the budget of a second', (t) => {
  const settings: SamplingSettings = { ...defaultSettings, budget: { tracesPerSecond: 5, scope: 'instance' } };
  const few = keptOf(requestsAt(0, 4), (keep) => new OutriggerSampling(settings, keep)).kept;
  t.same(
    few.map(({ weight }) => weight),
    [1, 1, 1, 1],
  );
  const many = requestsAt(0, 40);
  const { kept } = keptOf(many, (keep) => new OutriggerSampling(settings, keep));
  const highest = many.map(({ trace }) => trace.random).sort();
  t.same(kept.map(({ request }) => request.trace.random).sort(), highest.slice(-5), 'those with the greatest numbers');
  t.ok(kept.every(({ weight }) => weight > 1 && weight === kept[0]!.weight));
  t.end();
});
