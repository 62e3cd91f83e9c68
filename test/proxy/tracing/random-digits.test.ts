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
