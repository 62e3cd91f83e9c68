import fc from 'fast-check';
import t from 'tap';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { BufferPool } from '../../../proxy/reactor/buffer-pool.ts';
import { KeptInput } from '../../../proxy/reactor/kept-input.ts';

const MAX_BYTES = 128 * 1024;

const source = new NativeBuffer(65_536);
for (let index = 0; index < source.length; index++) source.bytes[index] = index % 251;

const content = (kept: KeptInput) =>
  kept.lengthBytes === 0 ? Buffer.alloc(0) : Buffer.from(kept.buffer.bytes.subarray(kept.start, kept.end));

t.test('any run of keeping, reading behind and consuming holds the bytes in order, within the bound', (t) => {
  const size = fc.oneof(fc.nat(100), fc.nat(65_536));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), size), { maxLength: 40 }), (steps) => {
      const kept = new KeptInput(new BufferPool(), MAX_BYTES);
      let expected = Buffer.alloc(0);
      for (const [isArrival, length] of steps) {
        if (!isArrival) {
          const consumed = Math.min(length, kept.lengthBytes);
          kept.consume(consumed);
          expected = expected.subarray(consumed);
        } else if (kept.lengthBytes === 0) {
          if (length > 0) kept.keep(source, 0, length);
          expected = Buffer.from(source.bytes.subarray(0, length));
        } else {
          const room = kept.makeRoom();
          if ((room === 0) !== kept.isFull) return false;
          const read = Math.min(room, length);
          source.bytes.copy(kept.buffer.bytes, kept.end, 0, read);
          kept.added(read);
          expected = Buffer.concat([expected, source.bytes.subarray(0, read)]);
        }
        if (kept.lengthBytes > MAX_BYTES || !content(kept).equals(expected)) return false;
      }
      return true;
    }),
    { seed: 5, numRuns: 300 },
  );
  t.end();
});

t.test('an empty store holds no memory', (t) => {
  const pool = new BufferPool();
  const kept = new KeptInput(pool, MAX_BYTES);
  kept.keep(source, 0, 10);
  const { buffer } = kept;
  kept.consume(10);
  t.equal(pool.take(10), buffer, 'given back');
  kept.clear();
  t.not(pool.take(10), buffer, 'once');
  t.end();
});
