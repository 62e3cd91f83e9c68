import fc from 'fast-check';
import t from 'tap';
import { ByteSlab, slabBytes } from '../../../proxy/export/byte-slab.ts';

t.test('pieces have the length that was asked for, share slabs, and never each other', (t) => {
  const lengths = fc.array(fc.integer({ min: 0, max: slabBytes }), { maxLength: 60 });
  fc.assert(
    fc.property(lengths, (asked) => {
      const slab = new ByteSlab();
      const pieces = asked.map((length, index) => slab.take(length).fill(index));
      return pieces.every((piece, index) => piece.length === asked[index] && piece.every((byte) => byte === index));
    }),
  );
  const slab = new ByteSlab();
  const [first, second] = [slab.take(100), slab.take(100)];
  t.equal(first.buffer, second.buffer);
  t.equal(first.buffer.byteLength, slabBytes);
  t.equal(slab.take(slabBytes).buffer.byteLength, slabBytes, 'a large one has its own');
  t.equal(slab.take(100).buffer, first.buffer);
  t.end();
});
