import fc from 'fast-check';
import t from 'tap';
import { textOfValue } from '../../native/asn1-value.ts';

const text = (hex: string) => textOfValue(Buffer.from(hex, 'hex'));

t.test('what is no value in DER has no text', (t) => {
  for (const hex of ['', '0c', '0c01', '0c0161ff', '0c80', '0c8161', '0c85000000000161', '0c820001'])
    t.equal(text(hex), '', hex);
  t.equal(text('0c0161'), 'a');
  t.equal(text('0c810161'), 'a');
  t.end();
});

t.test('letters that are none, and numbers that nobody would write, have no text', (t) => {
  t.equal(text('1e0161'), '', 'half a letter');
  t.equal(text('1e02d800'), '', 'half a pair');
  t.equal(text('1c0400110000'), '', 'behind the last letter');
  t.equal(text('1c040001f600'), Buffer.from('😀').toString('latin1'));
  t.equal(text(`02820101${'01'.repeat(257)}`), '');
  t.equal(text('0200'), '');
  t.equal(text('0600'), '');
  t.equal(text('a00161'), '', 'a tag of somebody’s own');
  t.end();
});

t.test('any bytes are read without harm, and numbers as they were', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      (bytes) => textOfValue(Buffer.from(bytes)).length <= 8 * bytes.length,
    ),
    { seed: 5, numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      const content = Buffer.alloc(8);
      content.writeBigInt64BE(value);
      return textOfValue(Buffer.concat([Buffer.from([2, 8]), content])) === value.toString();
    }),
    { seed: 6, numRuns: 500 },
  );
  t.end();
});
