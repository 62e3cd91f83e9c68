import fc from 'fast-check';
import t from 'tap';
import { copyShort, LastWords, viewOf, type WordBytes } from '../../../proxy/http/short-copy.ts';

function words(bytes: Buffer): WordBytes {
  return { bytes, view: viewOf(bytes) };
}

t.test('any range arrives at any offset as it was, and nothing beside it changes', async () => {
  const range = fc.record({
    source: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    start: fc.nat(399),
    length: fc.nat(400),
    offset: fc.nat(20),
  });
  fc.assert(
    fc.property(range, ({ source, start, length, offset }) => {
      const from = Math.min(start, source.length);
      const end = Math.min(from + length, source.length);
      const target = Buffer.alloc(440, 0xaa);
      const expected = Buffer.from(target);
      expected.set(source.subarray(from, end), offset);
      const behind = copyShort(words(Buffer.from(source)), from, end, words(target), offset);
      return behind === offset + end - from && target.equals(expected);
    }),
  );
});

t.test('a slice of a larger buffer is read and written where it lies', async (t) => {
  const shared = Buffer.from('0123456789abcdefghij');
  const target = Buffer.alloc(24, '.');
  copyShort(words(shared.subarray(5)), 1, 12, words(target.subarray(3)), 2);
  t.equal(target.toString(), '.....6789abcdefg........');
});

t.test('words are always those of the buffer that was asked for', async (t) => {
  const last = new LastWords();
  const first = Buffer.from('first');
  t.equal(last.of(first).view.getUint8(0), 0x66);
  const { view } = last;
  t.equal(last.of(first).view, view, 'made once');
  t.equal(last.of(Buffer.from('second')).view.getUint8(0), 0x73);
  t.equal(last.bytes.toString(), 'second');
});
