import fc from 'fast-check';
import t from 'tap';
import {
  copyThreshold,
  isAtLeast,
  percentageThreshold,
  raiseThreshold,
  readThresholdText,
  thresholdBytes,
  thresholdText,
} from '../../../proxy/tracing/threshold-bytes.ts';
import { higher, isKept, never, probabilityOf, writeThreshold } from '../../../sampler/threshold.ts';

const digits = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 14, maxLength: 14 }),
  fc.constant(never),
);

t.test('bytes compare as the texts of the sampler do', async () => {
  fc.assert(
    fc.property(digits, digits, (a, b) => {
      const [left, right] = [thresholdBytes(a), thresholdBytes(b)];
      const raised = Uint8Array.from(left);
      raiseThreshold(raised, right);
      return isAtLeast(left, 0, right, 0) === isKept(a, b) && Buffer.from(raised).toString() === higher(a, b);
    }),
    { seed: 7 },
  );
});

t.test('th is written and read as the sampler writes it', async () => {
  fc.assert(
    fc.property(digits, (threshold) => {
      if (threshold === never) return true;
      const text = thresholdText(thresholdBytes(threshold));
      const read = new Uint8Array(14);
      readThresholdText(read, text);
      return text === writeThreshold(threshold) && Buffer.from(read).toString() === threshold;
    }),
    { seed: 7 },
  );
});

t.test('a percentage is the exact share', async (t) => {
  for (const share of [0, 0.0001, 0.01, 0.25, 0.5, 1]) {
    const text = Buffer.from(percentageThreshold(share)).toString();
    t.ok(Math.abs(probabilityOf(text) - share) < 1e-15, `${share}`);
  }
  const copy = new Uint8Array(14);
  copyThreshold(copy, Buffer.from('xx80000000000000'), 2);
  t.equal(Buffer.from(copy).toString(), '80000000000000');
});
