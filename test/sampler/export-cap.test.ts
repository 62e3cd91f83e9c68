import fc from 'fast-check';
import t from 'tap';
import { type CappedRecord, ExportCap, type OfferedReason } from '../../sampler/export-cap.ts';
import { defaultSettings, type SamplingSettings } from '../../sampler/settings.ts';
import { always, isKept, justAbove, never } from '../../sampler/threshold.ts';

const settings: SamplingSettings = {
  ...defaultSettings,
  budget: { tracesPerSecond: 2, scope: 'instance' },
  errors: { ...defaultSettings.errors, maxPerSecond: 4 },
  slow: { overMs: 1000, maxPerSecond: 1 },
  retries: { maxPerSecond: 1 },
  debug: { maxPerSecond: 1 },
  upgrade: { accept: 'mesh', maxPerSecond: 1 },
};

function randomOf(random: number): string {
  return random.toString(16).padStart(14, '0');
}

function record(reason: OfferedReason, random: number, given: Partial<CappedRecord> = {}): CappedRecord {
  const headKept = reason === 'head' || reason === 'parent' || reason === 'debug';
  const threshold = headKept ? always : never;
  return { reason, random: randomOf(random), threshold, headKept, key: 'k', signature: 1, sizeBytes: 100, ...given };
}

/** What a window of a second keeps of these, as `reason random threshold`. */
function keptOf(records: readonly CappedRecord[], given: Partial<SamplingSettings> = {}): readonly string[] {
  const cap = new ExportCap({ ...settings, ...given });
  for (const each of records) cap.offer(each);
  const { kept } = cap.close(0);
  return kept
    .map(({ record, threshold, reason }) => `${reason} ${Number.parseInt(record.random, 16)} ${threshold}`)
    .sort();
}

t.test('an error that had a threshold to pass before it came says no lower one', (t) => {
  const passed = (random: number) => record('error', random, { passed: randomOf(6) });
  t.same(keptOf([passed(7), record('error', 1)]), [`error 1 ${always}`, `error 7 ${randomOf(6)}`]);
  const crowd = [8, 9, 10, 11, 12].map((random) => passed(random));
  const ofWindow = justAbove(randomOf(9));
  const kept = [`error 10 ${ofWindow}`, `error 11 ${ofWindow}`, `error 12 ${ofWindow}`, 'rare 8 null'];
  t.same(keptOf(crowd), kept, 'nor one below that of its window');
  t.end();
});

t.test('a trace that was asked for stands for those that a ceiling left out', (t) => {
  t.same(keptOf([record('debug', 7, { threshold: randomOf(6) })]), [`debug 7 ${randomOf(6)}`]);
  t.same(keptOf([record('debug', 7, { threshold: null })]), ['debug 7 null']);
  t.end();
});

t.test('within all caps everything is kept and counts as it did', (t) => {
  const records = [
    record('head', 5, { threshold: randomOf(4) }),
    record('parent', 6, { threshold: null }),
    record('error', 1),
    record('error', 7, { threshold: randomOf(4), headKept: false }),
    record('slow', 2),
    record('retry', 3),
    record('debug', 4),
    record('upgrade', 5),
  ];
  t.same(keptOf(records), [
    `debug 4 ${always}`,
    `error 1 ${always}`,
    `error 7 ${always}`,
    `head 5 ${randomOf(4)}`,
    'parent 6 null',
    `retry 3 ${always}`,
    `slow 2 ${always}`,
    'upgrade 5 null',
  ]);
  t.end();
});

t.test('above the budget the head and the parents share it, and their thresholds rise', (t) => {
  const records = [
    record('head', 5, { threshold: randomOf(2) }),
    record('parent', 7, { threshold: randomOf(7) }),
    record('head', 9, { threshold: randomOf(1) }),
    record('parent', 8, { threshold: null }),
  ];
  t.same(keptOf(records), [`head 9 ${justAbove(randomOf(7))}`, 'parent 8 null']);
  t.end();
});

t.test('an error that the head chose is counted once: by the lower of both thresholds', (t) => {
  const errors = [10, 20, 30, 40, 50].map((random) =>
    record('error', random, { threshold: randomOf(15), headKept: random >= 15 }),
  );
  // The fuse keeps four places: one kind takes one, so that three go by R (30 and above); the head has two.
  const above = justAbove(randomOf(20));
  t.same(keptOf(errors), [`error 30 ${above}`, `error 40 ${above}`, `error 50 ${above}`, 'rare 10 null']);
  const chosen = errors.map((error) => ({ ...error, threshold: randomOf(5), headKept: true }));
  const roomy = { budget: { tracesPerSecond: 9, scope: 'instance' } as const };
  t.same(
    keptOf(chosen, roomy),
    [10, 20, 30, 40, 50].map((random) => `error ${random} ${randomOf(5)}`),
    'the head has room',
  );
  t.end();
});

t.test('an error above the fuse of which the head decision is not known says no threshold', (t) => {
  const errors = [10, 20, 30, 40, 50].map((random) => record('error', random, { threshold: null }));
  t.same(keptOf(errors), ['error 30 null', 'error 40 null', 'error 50 null', 'rare 10 null']);
  t.end();
});

t.test('an error within its cap counts as one, also when the head decision is not known', (t) => {
  t.same(keptOf([record('error', 7, { threshold: null, headKept: true })]), [`error 7 ${always}`]);
  t.same(keptOf([record('error', 7, { threshold: null })]), [`error 7 ${always}`]);
  t.end();
});

t.test('each stratum has a cap of its own', (t) => {
  const reasons: readonly OfferedReason[] = ['slow', 'retry', 'debug', 'upgrade'];
  const kept = keptOf(reasons.flatMap((reason) => [record(reason, 1), record(reason, 2), record(reason, 2)]));
  const above = justAbove(randomOf(1));
  t.same(kept, [
    ...[`debug 2 ${above}`, `debug 2 ${above}`, `retry 2 ${above}`, `retry 2 ${above}`],
    ...[`slow 2 ${above}`, `slow 2 ${above}`, 'upgrade 2 null', 'upgrade 2 null'],
  ]);
  t.same(keptOf([record('error', 1)], { errors: { ...settings.errors, maxPerSecond: 0 } }), []);
  t.end();
});

t.test('what workers need not write is readable while the window runs', (t) => {
  const cap = new ExportCap(settings);
  t.equal(cap.reached('head'), always);
  for (const random of [5, 6, 7]) cap.offer(record('head', random));
  t.equal(cap.reached('head'), justAbove(randomOf(5)));
  t.equal(cap.reached('error'), always);
  cap.close(0);
  t.equal(cap.reached('head'), always);
  t.end();
});

t.test('what was suppressed is counted by key and reason, once a record', (t) => {
  const cap = new ExportCap({ ...settings, budget: { tracesPerSecond: 1, scope: 'instance' } });
  cap.offer(record('head', 5, { key: 'a' }));
  cap.offer(record('head', 4, { key: 'b' }));
  cap.offer(record('parent', 6, { key: 'b' }));
  for (let random = 10; random < 20; random++)
    cap.offer(record('error', random, { key: 'a', headKept: true, threshold: always }));
  t.same(cap.close(0).suppressed, [
    { key: 'b', reason: 'head', count: 1 },
    { key: 'a', reason: 'head', count: 1 },
    { key: 'b', reason: 'parent', count: 1 },
    { key: 'a', reason: 'error', count: 6 },
  ]);
  t.same(cap.close(1000).suppressed, []);
  t.end();
});

t.test('windows are seconds, whenever the caller comes', (t) => {
  const cap = new ExportCap(settings);
  const keptAt = (nowMs: number, isFinal = false) => {
    const { length } = cap.close(nowMs, isFinal).kept;
    cap.offer(record('head', nowMs + 1e9));
    return length;
  };
  cap.offer(record('head', 1));
  t.equal(keptAt(10_000), 1, 'the first call ends the window in which the proxy started');
  t.equal(keptAt(10_500), 0);
  t.equal(keptAt(10_990), 2, 'a timer that is early');
  t.equal(keptAt(11_900), 0);
  t.equal(keptAt(12_005), 2, 'late');
  t.equal(keptAt(60_000), 1, 'a jump forwards');
  t.equal(keptAt(60_500), 0);
  t.equal(keptAt(50_000), 2, 'and backwards');
  t.equal(keptAt(50_100, true), 1, 'the last one');
  t.end();
});

t.test('a budget of parts of a trace is kept over more windows, or a longer one', (t) => {
  const keptIn = (tracesPerSecond: number, seconds: number) => {
    const cap = new ExportCap(settings, tracesPerSecond);
    let kept = 0;
    for (let second = 0; second < seconds; second++) {
      for (let random = 0; random < 10; random++) cap.offer(record('head', second * 100 + random));
      kept += cap.close(second * 1000).kept.length;
    }
    return kept;
  };
  t.equal(keptIn(2.5, 100), 250);
  t.equal(keptIn(1, 100), 100);
  t.equal(keptIn(0.4, 101), 41, 'every two and a half seconds, when somebody asks');
  t.equal(keptIn(0.001, 101), 11, 'not less than one in ten seconds: nothing could be counted');
  t.equal(keptIn(0, 100), 0);
  t.end();
});

t.test('a new budget counts from the next window on', (t) => {
  const cap = new ExportCap(settings);
  const offerFive = () => {
    for (let random = 1; random <= 5; random++) cap.offer(record('head', random));
  };
  cap.configure({ ...settings, cap: 'legacy-token-bucket' }, 4);
  offerFive();
  t.same(
    cap.close(0).kept.map(({ threshold }) => threshold),
    [justAbove(randomOf(3)), justAbove(randomOf(3))],
  );
  offerFive();
  const { kept } = cap.close(1000);
  t.same(
    kept.map(({ record }) => record.random),
    [1, 2, 3, 4].map(randomOf),
    'the first of a second',
  );
  t.same(
    kept.map(({ threshold }) => threshold),
    [null, null, null, null],
  );
  t.end();
});

t.test('caps hold, thresholds never fall for the head, and everything is kept or counted', (t) => {
  const records = fc.array(
    fc.record({
      reason: fc.constantFrom<OfferedReason>('head', 'parent', 'error', 'slow', 'retry', 'debug', 'upgrade'),
      random: fc.integer({ min: 100, max: 160 }),
      head: fc.constantFrom('kept', 'not kept', 'unknown'),
      signature: fc.integer({ min: 0, max: 5 }),
    }),
    { maxLength: 80 },
  );
  fc.assert(
    fc.property(records, (given) => {
      const cap = new ExportCap(settings);
      for (const { reason, random, head, signature } of given) {
        const isHead = reason === 'head' || reason === 'parent' || reason === 'debug';
        const headKept = isHead || head === 'kept';
        const threshold = head === 'unknown' ? null : randomOf(headKept ? 90 : 200);
        cap.offer(record(reason, random, { threshold, headKept, signature }));
      }
      const { kept, suppressed } = cap.close(0);
      const tracesOf = (...reasons: string[]) =>
        new Set(kept.filter(({ reason }) => reasons.includes(reason)).map(({ record }) => record.random)).size;
      const headChosen = new Set(kept.filter(({ record }) => record.headKept).map(({ record }) => record.random)).size;
      const lost = suppressed.reduce((sum, { count }) => sum + count, 0);
      return (
        tracesOf('head', 'parent') <= 2 &&
        tracesOf('error', 'rare') <= 4 + Math.min(2, headChosen) &&
        tracesOf('debug') <= 1 &&
        new Set(kept.map(({ record }) => record.random)).size <= 2 + 4 + 1 + 1 + 1 + 1 &&
        kept.length + lost === given.length &&
        new Set(kept.map(({ record }) => record)).size === kept.length &&
        kept.every(({ record, threshold }) => threshold === null || isKept(record.random, threshold)) &&
        kept.every(
          ({ record, threshold, reason }) =>
            threshold === null || !/head|parent/.test(reason) || threshold >= record.threshold!,
        )
      );
    }),
    { numRuns: 500 },
  );
  t.end();
});
