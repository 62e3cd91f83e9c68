import fc from 'fast-check';
import t from 'tap';
import { DistinctTraces } from '../../../proxy/export/distinct-traces.ts';

function add(traces: DistinctTraces, digits: string): void {
  traces.add(Buffer.from(`..${digits}..`), 2);
}

t.test('a trace counts once, however often it comes', (t) => {
  const digits = fc.bigInt({ min: 0n, max: 2n ** 52n - 1n }).map((value) => value.toString(16).padStart(14, '0'));
  fc.assert(
    fc.property(fc.array(digits, { maxLength: 400 }), fc.array(fc.nat(399)), (randoms, again) => {
      const traces = new DistinctTraces();
      for (const random of randoms) add(traces, random);
      for (const index of again) if (index < randoms.length) add(traces, randoms[index]!);
      t.equal(traces.size, new Set(randoms).size);
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('the next window counts them anew, whatever room the last one needed', (t) => {
  const traces = new DistinctTraces();
  for (const count of [5000, 10, 0, 600]) {
    for (let number = 0; number < 2 * count; number++)
      add(traces, ((number % count) * 7919).toString(16).padStart(14, '0'));
    t.equal(traces.size, count);
    traces.clear();
    t.equal(traces.size, 0);
  }
  t.end();
});

t.test('who makes up traces that meet in one place is counted, and no search is long', (t) => {
  const traces = new DistinctTraces();
  const alike = Array.from({ length: 20_000 }, (_, number) => `${number.toString(16).padStart(8, '0')}abcdef`);
  for (const random of alike) add(traces, random);
  t.equal(traces.size, alike.length);
  add(traces, alike.at(-1)!);
  t.equal(traces.size, alike.length + 1, 'what is not found after some places is not looked for further');
  t.end();
});

t.test('zero is a trace like others', (t) => {
  const traces = new DistinctTraces();
  add(traces, '0'.repeat(14));
  add(traces, '0'.repeat(14));
  t.equal(traces.size, 1);
  t.end();
});
