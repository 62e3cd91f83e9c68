import { randomFillSync } from 'node:crypto';
import t from 'tap';
import { RandomDigits } from '../../../proxy/tracing/random-digits.ts';

t.test('digits are those of the bytes that were drawn, each once', async (t) => {
  let next = 0;
  const digits = new RandomDigits((bytes) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = next++;
  });
  const target = new Uint8Array(20);
  digits.write(new DataView(target.buffer), 2, 16);
  t.equal(Buffer.from(target).latin1Slice(), '\0\x000001020304050607\0\0');
  digits.write(new DataView(target.buffer), 0, 4);
  t.equal(Buffer.from(target).latin1Slice(0, 4), '0809');
});

t.test('every value of a byte has its digits, first or second of a pair', async (t) => {
  // As many pairs as are drawn at once. The first is all zero, and passed over.
  const numberOf = (pair: number) => 8 * pair + (pair % 8);
  const digits = new RandomDigits((bytes) => {
    const drawn = new DataView(bytes.buffer);
    for (let pair = 0; pair < bytes.length / 2; pair++) drawn.setUint16(2 * pair, numberOf(pair));
  });
  const target = new Uint8Array(4);
  const wrong: string[] = [];
  for (let pair = 1; pair < 8192; pair++) {
    digits.write(new DataView(target.buffer), 0, 4);
    const text = Buffer.from(target).latin1Slice();
    if (text !== numberOf(pair).toString(16).padStart(4, '0')) wrong.push(text);
  }
  t.same(wrong, []);
});

t.test('an id is never all zero', async (t) => {
  let draws = 0;
  const digits = new RandomDigits((bytes) => bytes.fill(draws++ === 0 ? 0 : 0xab));
  const target = new Uint8Array(32);
  digits.write(new DataView(target.buffer), 0, 32);
  t.equal(Buffer.from(target).latin1Slice(), 'ab'.repeat(16));
});

t.test('ids of the real generator do not repeat over many of its draws', async (t) => {
  const digits = new RandomDigits(randomFillSync);
  const target = new Uint8Array(32);
  const seen = new Set<string>();
  for (let count = 0; count < 5000; count++) {
    const length = count % 2 === 0 ? 32 : 16;
    digits.write(new DataView(target.buffer), 0, length);
    seen.add(Buffer.from(target).latin1Slice(0, length));
  }
  t.equal(seen.size, 5000);
  t.ok([...seen].every((id) => /^[0-9a-f]+$/.test(id)));
});
