// Acceptance tests 1, 2 and 4 of the sampler: what is kept stands for what happened, caps hold, errors are all kept and counted once.

import t, { type Test } from 'tap';
import type { KeptRecord } from '../../../sampler/export-cap.ts';
import { defaultSettings, type SamplingSettings } from '../../../sampler/settings.ts';
import { seededRandom } from '../trace-ids.ts';
import { Estimates, isUnbiased, type Verdict, verdictText } from './estimate.ts';
import { type ModelRecord, ModelSidecar } from './model-sidecar.ts';
import { type ModelKey, Requests, zipfKeys } from './requests.ts';
import { firstSeed, requests, seeds, sizesText } from './sizes.ts';

const settings: SamplingSettings = {
  ...defaultSettings,
  baseRate: 0.05,
  rules: [{ service: 'service-xx', headers: [], rate: 0.5, weight: 10 }],
  budget: { tracesPerSecond: 20, scope: 'instance' },
  errors: { ...defaultSettings.errors, maxPerSecond: 5 },
};
const perSecond = 1000;

interface Trial {
  readonly verdicts: readonly Verdict[];
  /** Most traces that one window exported: of the head, of errors, and in all. */
  readonly most: { readonly head: number; readonly error: number; readonly all: number };
  readonly errors: { readonly happened: number; readonly kept: number };
}

/** `load` says how busy each second is, so that stage 1 is surprised and stage 2 has to act. */
function tried(
  keys: readonly ModelKey[],
  load: (second: number) => number,
  given: Partial<SamplingSettings> = {},
): Trial {
  const estimates = new Estimates();
  const most = { head: 0, error: 0, all: 0 };
  const errors = { happened: 0, kept: 0 };
  for (let run = 0; run < seeds; run++) {
    estimates.beginRun();
    const onWindow = (kept: readonly KeptRecord<ModelRecord>[]) => {
      for (const { record, threshold } of kept) {
        estimates.kept(record.key, threshold);
        estimates.kept('all', threshold);
        if (record.outcome !== 'fine') estimates.kept(`all ${record.outcome}`, threshold);
        if (record.outcome === 'error') errors.kept++;
      }
      most.head = Math.max(most.head, kept.filter(({ reason }) => reason === 'head').length);
      most.error = Math.max(most.error, kept.filter(({ reason }) => reason === 'error' || reason === 'rare').length);
      most.all = Math.max(most.all, kept.length);
    };
    const sidecar = new ModelSidecar({ ...settings, ...given }, onWindow);
    const workload = new Requests(sidecar, keys, seededRandom(firstSeed + run));
    let happened = 0;
    for (let tick = 0; happened < requests || tick % 10 !== 0; tick++) {
      workload.tick(load(Math.floor(tick / 10)), (key, outcome) => {
        happened++;
        estimates.happened(key.service);
        estimates.happened('all');
        if (outcome !== 'fine') estimates.happened(`all ${outcome}`);
        if (outcome === 'error') errors.happened++;
      });
      sidecar.tick(1_000_000 + tick * 100);
    }
  }
  return { verdicts: estimates.verdicts(), most, errors };
}

function unbiased(t: Test, { verdicts }: Trial): void {
  t.ok(isUnbiased(verdicts), 'each key is estimated without bias');
  t.comment(`furthest off: ${verdictText(verdicts[0]!)}`);
  t.comment(verdictText(verdicts.find(({ name }) => name === 'all')!));
}

const steady = () => 1;
/** Threefold every fourth second, and a pause. */
const uneven = (second: number) => (second % 4 === 3 ? 3 : second % 7 === 6 ? 0.1 : 1);

t.setTimeout(0);
t.comment(sizesText);

t.test('1: without errors, each key is estimated without bias', (t) => {
  unbiased(t, tried(zipfKeys(20, perSecond), steady));
  t.end();
});

t.test('1 and 2: nor when the load jumps, so that stage 2 cuts, and the cap holds in every second', (t) => {
  const trial = tried(zipfKeys(20, perSecond), uneven);
  unbiased(t, trial);
  t.equal(trial.most.head, 20, 'the most of the head in a second');
  t.equal(trial.most.all, 20);
  t.end();
});

t.test('1, 2 and 4: nor with errors and slow requests, far above their caps', (t) => {
  const trial = tried(zipfKeys(20, perSecond, { errorShare: 0.03, slowShare: 0.01 }), uneven);
  unbiased(t, trial);
  t.ok(trial.most.error <= 5 + 20, `${trial.most.error} errors in a second: those that the head chose have its places`);
  t.ok(trial.most.all <= 20 + 5 + 2, `${trial.most.all} in a second`);
  t.end();
});

t.test('4: below the cap every error is kept, and they are counted once, exactly', (t) => {
  // Five a second on average, and a cap that a Poisson number of that mean does not reach.
  const trial = tried(zipfKeys(20, perSecond, { errorShare: 0.005 }), steady, {
    errors: { ...settings.errors, maxPerSecond: 50 },
  });
  t.ok(trial.errors.happened > seeds);
  t.equal(trial.errors.kept, trial.errors.happened);
  const counted = trial.verdicts.find(({ name }) => name === 'all error')!;
  t.equal(counted.estimate, counted.truth);
  unbiased(t, trial);
  t.end();
});
