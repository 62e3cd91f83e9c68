// Acceptance tests 1 and 5 of the sampler at the size that the design names, judged run by run: few runs, each so long that chance
// blurs little of it. The many short runs of the other files find a small bias, these what grows with time and number.

import t from 'tap';
import type { KeptRecord } from '../../../sampler/export-cap.ts';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { adjustedCount } from '../../../sampler/threshold.ts';
import { seededRandom } from '../trace-ids.ts';
import { isUnbiased } from './estimate.ts';
import { type ModelRecord, ModelSidecar } from './model-sidecar.ts';
import { Requests, zipfKeys } from './requests.ts';
import { firstSeed } from './sizes.ts';

const million = 1_000_000;
const longRuns = 3;
const stepRuns = 10;

t.setTimeout(0);
t.comment(`seeds from ${firstSeed}`);

interface Count {
  truth: number;
  estimate: number;
  /** Of the estimate, itself estimated without bias: the sum of a (a - 1) over what is kept and stands for a. */
  variance: number;
}

t.test(
  '1: of a million requests, with errors and the cap engaged, every run counts all of them, and those of each of 20 keys, as near as chance explains',
  (t) => {
    const runs = Array.from({ length: longRuns }, (_, run) => countedRun(firstSeed + run));
    for (const [run, { counts, happened, cuts }] of runs.entries()) {
      // What one run kept of a key says too little of its variance where it kept little: that of all runs is taken.
      const sigmas = [...counts].map(([name, { truth, estimate }]) => {
        const variance = runs.reduce((sum, each) => sum + each.counts.get(name)!.variance, 0) / runs.length;
        return (estimate - truth) / Math.sqrt(variance);
      });
      const furthest = Math.max(...sigmas.map(Math.abs));
      const whole = totalSigmas([...counts.values()]);
      t.comment(
        `seed ${firstSeed + run}: ${happened} requests, cap reached in ${cuts} seconds, ${whole.toFixed(1)} sigma, the furthest key ${furthest.toFixed(1)}`,
      );
      t.equal(counts.size, 20);
      t.ok(cuts > 5, 'stage 2 had to cut');
      t.ok(isUnbiased([whole, ...sigmas].map((each) => ({ sigmas: each }))));
    }
    t.end();
  },
);

function totalSigmas(counts: readonly Count[]): number {
  const sum = (of: (count: Count) => number) => counts.reduce((total, count) => total + of(count), 0);
  return sum(({ truth, estimate }) => estimate - truth) / Math.sqrt(sum(({ variance }) => variance));
}

interface CountedRun {
  readonly counts: ReadonlyMap<string, Count>;
  readonly happened: number;
  /** Seconds in which stage 2 kept no more than the cap. */
  readonly cuts: number;
}

function countedRun(seed: number): CountedRun {
  const settings: SamplingSettings = {
    ...defaultSettings,
    baseRate: 0.05,
    rules: [],
    budget: { tracesPerSecond: 100, scope: 'instance' },
  };
  const counts = new Map<string, Count>();
  const countOf = (name: string): Count => {
    const count = counts.get(name) ?? { truth: 0, estimate: 0, variance: 0 };
    counts.set(name, count);
    return count;
  };
  let cuts = 0;
  const onWindow = (kept: readonly KeptRecord<ModelRecord>[]) => {
    for (const { record, threshold } of kept) {
      if (threshold === null) continue;
      const count = countOf(record.key);
      const adjusted = adjustedCount(threshold);
      count.estimate += adjusted;
      count.variance += adjusted * (adjusted - 1);
    }
    if (kept.filter(({ reason }) => reason === 'head').length === 100) cuts++;
  };
  const sidecar = new ModelSidecar(settings, onWindow);
  const workload = new Requests(sidecar, zipfKeys(20, 10_000, { errorShare: 0.0005 }), seededRandom(seed));
  let happened = 0;
  for (let tick = 0; happened < million || tick % 10 !== 0; tick++) {
    workload.tick(tick % 40 < 30 ? 1 : 2, ({ service }) => {
      happened++;
      countOf(service).truth++;
    });
    sidecar.tick(million + tick * 100);
  }
  return { counts, happened, cuts };
}

t.test(
  '5: after ten times the load, and a tenth of it, every second of every run is within a tenth of the budget',
  (t) => {
    // So many that a Poisson number strays by 2 % and not by a tenth.
    const budget = 2000;
    const settings: SamplingSettings = {
      ...defaultSettings,
      baseRate: 1,
      rules: [],
      budget: { tracesPerSecond: budget, scope: 'instance' },
    };
    const loads = [1, 1, 1, 1, 1, 10, 10, 10, 10, 10, 1, 1, 1, 1, 1];
    /** Two seconds after the start and after each step. */
    const settled = [3, 4, 7, 8, 9, 12, 13, 14];
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (let run = 0; run < stepRuns; run++) {
      const perSecond: number[] = [];
      const sidecar = new ModelSidecar(settings, (kept) => perSecond.push(kept.length));
      const workload = new Requests(sidecar, zipfKeys(5, 3000), seededRandom(firstSeed + run));
      for (let tick = 0; tick < loads.length * 10; tick++) {
        workload.tick(loads[Math.floor(tick / 10)]!, () => undefined);
        sidecar.tick(million + tick * 100);
      }
      most = Math.max(most, ...perSecond);
      least = Math.min(least, ...settled.map((second) => perSecond[second]!));
      if (run === 0) t.comment(`seed ${firstSeed}: ${perSecond.join(' ')}`);
    }
    t.comment(`${stepRuns} seeds: ${least} to ${most} in a second, of ${budget}`);
    t.ok(least >= 0.9 * budget);
    t.ok(most <= budget);
    t.end();
  },
);
