// Acceptance tests 5, 6 and 7 of the sampler: load that jumps, starts cold, pauses, or brings ten thousand keys; clocks that
// jump.

import t from 'tap';
import type { KeptRecord } from '../../../sampler/export-cap.ts';
import { maxKeys } from '../../../sampler/key-table.ts';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { probabilityOf } from '../../../sampler/threshold.ts';
import { seededRandom } from '../trace-ids.ts';
import { Estimates, isUnbiased, verdictText } from './estimate.ts';
import { type ModelRecord, ModelSidecar } from './model-sidecar.ts';
import { type ModelKey, Requests, slotted, zipfKeys } from './requests.ts';
import { firstSeed, requests, seeds, sizesText } from './sizes.ts';

const budget = 50;
const settings: SamplingSettings = {
  ...defaultSettings,
  baseRate: 1,
  rules: [],
  budget: { tracesPerSecond: budget, scope: 'instance' },
};

interface Seconds {
  /** Traces exported in each second, on average over the runs. */
  readonly mean: readonly number[];
  /** Most in one second of one run. */
  readonly most: number;
  readonly estimates: Estimates;
}

/** Each second has a load, in multiples of the keys' rates. `nowMs` is what the clock says when a tick ends. */
function drive(
  keys: readonly ModelKey[],
  loads: readonly number[],
  nowMs = (tick: number) => 1_000_000 + tick * 100,
): Seconds {
  const sums = new Float64Array(loads.length);
  const estimates = new Estimates();
  let most = 0;
  for (let run = 0; run < seeds; run++) {
    estimates.beginRun();
    let second = 0;
    const onWindow = (kept: readonly KeptRecord<ModelRecord>[]) => {
      sums[second]! += kept.length;
      most = Math.max(most, kept.length);
      for (const { record, threshold } of kept) estimates.kept(record.key, threshold);
    };
    const sidecar = new ModelSidecar(settings, onWindow);
    const workload = new Requests(sidecar, keys, seededRandom(firstSeed + run));
    for (const [index, load] of loads.entries()) {
      second = index;
      for (let tick = 0; tick < 10; tick++) {
        workload.tick(load, (key) => estimates.happened(key.service));
        sidecar.tick(nowMs(index * 10 + tick));
      }
    }
  }
  return { mean: Array.from(sums, (sum) => sum / seeds), most, estimates };
}

/** Within a tenth of the budget. */
function isNearBudget(perSecond: number): boolean {
  return perSecond >= 0.9 * budget && perSecond <= 1.1 * budget;
}

function text(mean: readonly number[]): string {
  return mean.map((perSecond) => perSecond.toFixed(1)).join(' ');
}

const repeated = (load: number, seconds: number) => new Array<number>(seconds).fill(load);

t.setTimeout(0);
t.comment(`${sizesText}, budget ${budget} a second`);

t.test('5: after ten times the load, and a tenth of it, the budget is met within two seconds and never passed', (t) => {
  const keys = zipfKeys(1, requests / 60);
  const { mean, most, estimates } = drive(keys, [...repeated(1, 5), ...repeated(10, 5), ...repeated(1, 5)]);
  t.comment(`traces a second: ${text(mean)}`);
  t.ok([3, 4, 7, 8, 9, 12, 13, 14].every((second) => isNearBudget(mean[second]!)));
  t.ok(most <= budget, `${most} in one second`);
  t.ok(isUnbiased(estimates.verdicts()));
  t.end();
});

t.test('6: a cold start and a burst after a pause pass no budget, and can be counted', (t) => {
  const keys = zipfKeys(10, requests / 25);
  const { mean, most, estimates } = drive(keys, [...repeated(1, 5), ...repeated(0, 30), ...repeated(4, 5)]);
  t.comment(`traces a second: ${text([...mean.slice(0, 5), ...mean.slice(-5)])}`);
  t.ok(most <= budget, `${most} in one second`);
  t.equal(mean[0], budget, 'the first second is used up, not lost');
  t.ok(mean.slice(-3).every(isNearBudget));
  const verdicts = estimates.verdicts();
  t.ok(isUnbiased(verdicts));
  t.comment(verdictText(verdicts[0]!));
  t.end();
});

t.test('6: a clock that jumps by hours passes no budget and loses none', (t) => {
  const jumps = (tick: number) => 1_000_000 + tick * 100 + (tick < 35 ? 0 : tick < 75 ? 3_600_000 : -7_200_000);
  const { mean, most, estimates } = drive(zipfKeys(5, requests / 12), repeated(1, 12), jumps);
  t.comment(`traces a second: ${text(mean)}`);
  t.ok(most <= budget, `${most} in one second`);
  t.ok(mean.slice(3).every(isNearBudget));
  t.ok(isUnbiased(estimates.verdicts()));
  t.end();
});

t.test('7: 10,000 keys take a bounded memory and leave the known ones as they were', (t) => {
  const keys = zipfKeys(10, 500);
  const estimates = new Estimates();
  // Each is 10,000 requests of known keys and a flood of as many others, however long the other tests are.
  const runs = Math.ceil(seeds / 4);
  for (let run = 0; run < runs; run++) {
    estimates.beginRun();
    const onWindow = (kept: readonly KeptRecord<ModelRecord>[]) => {
      for (const { record, threshold } of kept)
        if (record.key.startsWith('service')) estimates.kept(record.key, threshold);
    };
    const sidecar = new ModelSidecar({ ...settings, baseRate: 0.05 }, onWindow);
    const random = seededRandom(firstSeed + run);
    const workload = new Requests(sidecar, keys, random);
    for (let tick = 0; tick < 200; tick++) {
      workload.tick(1, (key) => estimates.happened(key.service));
      for (let path = 0; tick >= 50 && tick < 150 && path < 100; path++) {
        const worker = sidecar.workers[path % 2]!;
        const key = slotted(worker, `path ${tick * 100 + path}`);
        const value = `${path}`.padStart(14, '0');
        sidecar.finish(key, value, worker.decide(key, value));
      }
      sidecar.tick(1_000_000 + tick * 100);
    }
    const rates = sidecar.rates.list();
    if (run > 0) continue;
    t.ok(rates.length <= maxKeys && rates.length > 400, `${rates.length} keys are known`);
    const known = keys.map(({ service }) => rates.find(({ key }) => key.service === service)!);
    t.ok(known.every((rate) => rate !== undefined && Math.abs(probabilityOf(rate.threshold) - 0.05) < 1e-6));
  }
  const verdicts = estimates.verdicts();
  t.ok(isUnbiased(verdicts));
  t.comment(verdictText(verdicts[0]!));
  t.end();
});
