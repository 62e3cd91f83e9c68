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

interface Chain {
  readonly kept: { readonly anywhere: number; readonly whole: number };
  /** Windows in which two sidecars kept sets of which neither was inside the other. */
  readonly crossed: number;
  readonly estimates: Estimates;
}

function settingsOf(tracesPerSecond: number, cap: SamplingSettings['cap']): SamplingSettings {
  return { ...defaultSettings, baseRate: 0.03, rules: [], cap, budget: { tracesPerSecond, scope: 'instance' } };
}

function runChain(cap: SamplingSettings['cap']): Chain {
  const estimates = new Estimates();
  const kept = { anywhere: 0, whole: 0 };
  let crossed = 0;
  for (let run = 0; run < seeds; run++) {
    estimates.beginRun();
    const random = seededRandom(firstSeed + run);
    const windows: Set<string>[] = budgets.map(() => new Set());
    const sidecars = budgets.map((budget, hop) => {
      const onWindow = (records: readonly KeptRecord<ModelRecord>[]) => {
        windows[hop] = new Set(records.map(({ record }) => record.random));
        for (const { threshold } of records) estimates.kept(`hop ${hop}`, threshold);
      };
      return new ModelSidecar(settingsOf(budget, cap), onWindow);
    });
    for (let second = 0; second < requests / perSecond; second++) {
      const reachLast = runSecond(sidecars, second, { random, estimates });
      const anywhere = new Set(windows.flatMap((window) => [...window]));
      for (const trace of anywhere) {
        kept.anywhere++;
        if (windows.every((window, hop) => window.has(trace) || (hop === 2 && !reachLast.has(trace)))) kept.whole++;
      }
      if (!isNested(windows[0]!, windows[1]!)) crossed++;
      const seenByLast = (window: Set<string>) => new Set([...window].filter((trace) => reachLast.has(trace)));
      if (!isNested(seenByLast(windows[1]!), windows[2]!)) crossed++;
    }
  }
  return { kept, crossed, estimates };
}

/** The traces that reached the last sidecar. */
function runSecond(
  sidecars: readonly ModelSidecar[],
  second: number,
  { random, estimates }: { random: Random; estimates: Estimates },
): ReadonlySet<string> {
  const reachLast = new Set<string>();
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
        if (hop === 2 && trace.random.charCodeAt(13) % 5 > 2) continue;
        if (hop === 2) reachLast.add(trace.random);
        estimates.happened(`hop ${hop}`);
        sidecar.finish(key, trace.random, trace.decision, { isParents: hop > 0 });
      }
      sidecar.tick(1_000_000 + second * 1000 + tick * 100);
    }
  }
  return reachLast;
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

t.test('3: what sidecars keep nests, is mostly whole, and stands for what each of them saw', (t) => {
  const ours = runChain('bottom-k');
  const bucket = runChain('legacy-token-bucket');
  const percent = ({ kept }: Chain) => (100 * kept.whole) / kept.anywhere;
  t.comment(
    `traces kept anywhere that are whole: ${percent(ours).toFixed(1)} %, by token buckets ${percent(bucket).toFixed(1)} %`,
  );
  t.equal(ours.crossed, 0, 'nested in every window');
  t.ok(bucket.crossed > 0, 'token buckets cross');
  t.ok(percent(ours) > percent(bucket) + 5, 'more is whole than by token buckets');
  const verdicts = ours.estimates.verdicts();
  t.ok(isUnbiased(verdicts));
  for (const verdict of verdicts) t.comment(verdictText(verdict));
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
