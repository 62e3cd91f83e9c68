// Acceptance test 3 of the sampler: sidecars with different budgets keep sets of traces that nest, so that what one keeps
// is mostly whole; and what each of them keeps can still be counted.

import t from 'tap';
import type { KeptRecord } from '../../../sampler/export-cap.ts';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { isKept } from '../../../sampler/threshold.ts';
import { poisson, type Random, randomValue, seededRandom } from '../trace-ids.ts';
import { Estimates, isUnbiased, verdictText } from './estimate.ts';
import { type HeadDecision, type ModelRecord, ModelSidecar } from './model-sidecar.ts';
import { slotted } from './requests.ts';
import { firstSeed, requests, seeds, sizesText } from './sizes.ts';

const perSecond = 1000;
/** Of the front, the service behind it, and one that three in five traces reach. */
const budgets = [20, 15, 8] as const;

/** How the sidecars of a chain run. */
interface ChainOptions {
  readonly cap: SamplingSettings['cap'];
  /** By how many ticks the windows of each are ahead of the clock: processes do not start at once. */
  readonly phases: readonly number[];
  readonly runs: number;
}

interface Chain {
  readonly anywhere: number;
  /** Kept by each sidecar that they reached. */
  readonly whole: number;
  /** Seconds in which two sidecars kept sets of which neither was inside the other. */
  readonly crossed: number;
  readonly estimates: Estimates;
}

function settingsOf(tracesPerSecond: number, cap: SamplingSettings['cap']): SamplingSettings {
  return { ...defaultSettings, baseRate: 0.03, rules: [], cap, budget: { tracesPerSecond, scope: 'instance' } };
}

function runChain({ cap, phases, runs }: ChainOptions): Chain {
  const estimates = new Estimates();
  const sums = { anywhere: 0, whole: 0, crossed: 0 };
  for (let run = 0; run < runs; run++) {
    estimates.beginRun();
    const random = seededRandom(firstSeed + run);
    const kept: Set<string>[] = budgets.map(() => new Set());
    const window: Set<string>[] = budgets.map(() => new Set());
    const sidecars = budgets.map((budget, hop) => {
      const onWindow = (records: readonly KeptRecord<ModelRecord>[]) => {
        window[hop] = new Set(records.map(({ record }) => record.random));
        for (const trace of window[hop]) kept[hop]!.add(trace);
        for (const { threshold } of records) estimates.kept(`hop ${hop}`, threshold);
      };
      const sidecar = new ModelSidecar(settingsOf(budget, cap), onWindow);
      for (let tick = phases[hop]!; tick > 0; tick--) sidecar.tick(startMs - tick * 100);
      return sidecar;
    });
    // A second more, in which nothing comes, for the windows that are open.
    const seconds = Math.ceil(requests / perSecond);
    for (let second = 0; second <= seconds; second++) {
      runSecond(sidecars, second, { random, estimates, perSecond: second < seconds ? perSecond : 0 });
      const seenByLast = new Set([...window[1]!].filter(reachesLast));
      if (!isNested(window[0]!, window[1]!) || !isNested(seenByLast, window[2]!)) sums.crossed++;
    }
    const anywhere = new Set(kept.flatMap((traces) => [...traces]));
    sums.anywhere += anywhere.size;
    for (const trace of anywhere) {
      if (kept[0]!.has(trace) && kept[1]!.has(trace) && (!reachesLast(trace) || kept[2]!.has(trace))) sums.whole++;
    }
  }
  return { ...sums, estimates };
}

const startMs = 1_000_000;

interface Second {
  readonly random: Random;
  readonly estimates: Estimates;
  readonly perSecond: number;
}

function runSecond(sidecars: readonly ModelSidecar[], second: number, { random, estimates, perSecond }: Second): void {
  const worker = sidecars[0]!.workers[0]!;
  const key = slotted(worker, 'front');
  for (let tick = 0; tick < 10; tick++) {
    const traces: { random: string; decision: HeadDecision }[] = [];
    for (let trace = poisson(perSecond / 10, random); trace > 0; trace--) {
      const value = randomValue(random);
      traces.push({ random: value, decision: worker.decide(key, value) });
    }
    for (const [hop, sidecar] of sidecars.entries()) {
      // Requests end in another order at each hop: only a cap that takes the first of a second sees that.
      for (const trace of shuffled(traces, random)) {
        if (hop === 2 && !reachesLast(trace.random)) continue;
        estimates.happened(`hop ${hop}`);
        sidecar.finish(key, trace.random, trace.decision, { isParents: hop > 0 });
      }
      sidecar.tick(startMs + second * 1000 + tick * 100);
    }
  }
}

/** Three in five; by the last digit of R, which has no part in what is kept. */
function reachesLast(trace: string): boolean {
  return Number.parseInt(trace.slice(-1), 16) % 5 < 3;
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[], random: Random): readonly Item[] {
  const mixed = [...items];
  for (let index = mixed.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const item = mixed[index]!;
    mixed[index] = mixed[other]!;
    mixed[other] = item;
  }
  return mixed;
}

function isNested(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  return [...small].every((trace) => large.has(trace));
}

t.setTimeout(0);
t.comment(sizesText);

t.test('3: what sidecars keep of one second nests, and stands for what each of them saw', (t) => {
  const phases = [0, 0, 0];
  const { crossed, estimates } = runChain({ cap: 'bottom-k', phases, runs: seeds });
  t.equal(crossed, 0);
  const verdicts = estimates.verdicts();
  t.ok(isUnbiased(verdicts));
  for (const verdict of verdicts) t.comment(verdictText(verdict));
  t.ok(runChain({ cap: 'legacy-token-bucket', phases, runs: 1 }).crossed > 0, 'what token buckets keep does not');
  t.end();
});

t.test('3: more of what is kept is whole than by token buckets, also when seconds begin at different times', (t) => {
  const runs = Math.ceil(seeds / 4);
  const wholeOf = (cap: SamplingSettings['cap']) => {
    const { whole, anywhere } = runChain({ cap, phases: [0, 3, 7], runs });
    return (100 * whole) / anywhere;
  };
  const [ours, buckets] = [wholeOf('bottom-k'), wholeOf('legacy-token-bucket')];
  t.comment(`whole: ${ours.toFixed(1)} % of the traces kept anywhere, by token buckets ${buckets.toFixed(1)} %`);
  t.ok(ours > buckets + 3);
  t.end();
});

t.test('3: two sidecars that decide alone, with different budgets, keep nested sets of the same traces', (t) => {
  const none = () => undefined;
  let both = 0;
  let onlyLower = 0;
  for (let run = 0; run < seeds; run++) {
    const random = seededRandom(firstSeed + run);
    const [high, low] = [20, 5].map((budget) => new ModelSidecar(settingsOf(budget, 'bottom-k'), none)) as [
      ModelSidecar,
      ModelSidecar,
    ];
    const [highKey, lowKey] = [slotted(high.workers[0]!, 'a'), slotted(low.workers[0]!, 'a')];
    for (let request = 0; request < requests; request++) {
      if (request % (perSecond / 10) === 0) for (const sidecar of [high, low]) sidecar.tick(request);
      const value = randomValue(random);
      const ofHigh = high.workers[0]!.decide(highKey, value);
      const ofLow = low.workers[0]!.decide(lowKey, value);
      if (ofLow.isKept && isKept(value, ofHigh.threshold)) both++;
      else if (ofLow.isKept) onlyLower++;
    }
  }
  t.ok(both > seeds);
  t.equal(onlyLower, 0);
  t.end();
});
