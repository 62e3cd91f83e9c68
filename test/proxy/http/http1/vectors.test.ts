// Every row of the requirements table that a codec can decide alone, each input whole, split once at every byte, and
// byte by byte: the outcome must be the same.

import t, { type Test } from 'tap';
import { type CodecRun, CodecRunner } from './codec-run.ts';
import type { Expectation, Vector } from './vectors/vector-list.ts';
import { vectors } from './vectors.ts';

/** Longer inputs are split at a sample of offsets: the parser is linear, every split of 60 KiB is not. */
const exhaustiveLength = 600;
const sampleStep = 7919;

for (const vector of vectors) {
  t.test(`row ${vector.row}: ${vector.name}`, async (t) => {
    const runner = new CodecRunner(vector.options ?? {});
    const whole = runner.run([vector.input]);
    check(t, vector.expect, whole);
    const bytewise = runner.run([...vector.input]);
    t.same(bytewise, whole, 'byte by byte');
    for (const at of splitOffsets(vector)) {
      const split = runner.run([vector.input.slice(0, at), vector.input.slice(at)]);
      if (JSON.stringify(split) !== JSON.stringify(whole)) t.same(split, whole, `split at byte ${at}`);
    }
  });
}

function splitOffsets(vector: Vector): number[] {
  const { length } = vector.input;
  const step = length <= exhaustiveLength ? 1 : sampleStep;
  const offsets: number[] = [];
  for (let at = 1; at < length; at += step) offsets.push(at);
  return offsets;
}

function check(t: Test, expect: Expectation, run: CodecRun): void {
  switch (expect.kind) {
    case 'refused':
      t.equal(run.error?.status, expect.status);
      if (expect.details !== undefined) t.equal(run.error?.details, expect.details);
      t.notOk(run.isComplete, 'a refused message is never complete');
      return;
    case 'incomplete':
      t.equal(run.error, null);
      t.notOk(run.isComplete);
      return;
    case 'accepted': {
      t.equal(run.error, null);
      t.ok(run.isComplete);
      const { kind: _, ...expected } = expect;
      const wanted = { body: '', trailers: '', leftover: '', droppedHeaders: 0, droppedTrailers: 0, ...expected };
      for (const [key, value] of Object.entries(wanted)) t.equal(run[key as keyof CodecRun], value, key);
      return;
    }
    default:
      expect satisfies never;
  }
}
