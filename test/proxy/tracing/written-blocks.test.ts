import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { attributeKey, SpanWriter } from '../../../proxy/tracing/span-writer.ts';
import { WrittenBlocks } from '../../../proxy/tracing/written-blocks.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const key = attributeKey('client.address');

/** Writes `text` as whoever uses blocks does. Returns whether it was known, and what was written. */
function write(blocks: WrittenBlocks, text: string) {
  const writer = new SpanWriter(16);
  writer.byte(7);
  const isKnown = blocks.write(writer, text);
  if (!isKnown) {
    const start = writer.used;
    writer.textAttribute(9, key, text);
    blocks.keep(writer, text, start);
  }
  return { isKnown, bytes: Buffer.from(writer.bytes.subarray(0, writer.used)) };
}

t.test('what was written of a text once is written so again, and nothing of another', async (t) => {
  const blocks = new WrittenBlocks();
  const first = write(blocks, '10.0.0.1');
  const other = write(blocks, '10.0.0.2');
  const again = write(blocks, '10.0.0.1');
  t.same([first.isKnown, other.isKnown, again.isKnown], [false, false, true]);
  t.same(again.bytes, first.bytes);
  t.notSame(other.bytes, first.bytes);
});

t.test('a text that is cut short as latin1 is not taken for the one that it is cut to', async (t) => {
  const blocks = new WrittenBlocks();
  write(blocks, '/run/\u0141.sock');
  t.equal(write(blocks, '/run/A.sock').isKnown, false);
  t.equal(write(blocks, '/run/\u0141.sock').isKnown, false, 'it is written anew each time');
  write(blocks, '/run/\u00e9.sock');
  t.equal(write(blocks, '/run/\u00e9.sock').isKnown, true);
});

t.test('what is kept is a copy: the writer goes on', async (t) => {
  const blocks = new WrittenBlocks();
  const writer = new SpanWriter(64);
  writer.textAttribute(9, key, 'a');
  blocks.keep(writer, 'a', 0);
  const kept = Buffer.from(writer.bytes.subarray(0, writer.used));
  writer.bytes.fill(0);
  writer.used = 0;
  t.equal(blocks.write(writer, 'a'), true);
  t.same(Buffer.from(writer.bytes.subarray(0, writer.used)), kept);
});

t.test(
  'texts that are too long, and more than there is room for, are not kept; then others have their turn',
  async (t) => {
    const blocks = new WrittenBlocks();
    const long = 'x'.repeat(257);
    write(blocks, long);
    t.equal(write(blocks, long).isKnown, false);
    for (let number = 0; number < 4096; number++) write(blocks, String(number));
    t.equal(write(blocks, '0').isKnown, true);
    for (let number = 0; number < 4096; number++) t.equal(write(blocks, `new ${number}`).isKnown, false);
    t.equal(write(blocks, 'new 4095').isKnown, true, 'as many came anew as there is room for');
    t.equal(write(blocks, '0').isKnown, false);
  },
);

t.test('a part of a long text is kept without the rest of it', async (t) => {
  const blocks = new WrittenBlocks();
  const bytes = Buffer.alloc(60_000, 0x61);
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  for (let number = 0; number < 1000; number++) {
    bytes.write(`${100_000 + number}.example.org/`);
    write(blocks, bytes.latin1Slice().slice(0, '100000.example.org'.length));
  }
  collectGarbage();
  t.ok(process.memoryUsage().heapUsed - before < 10_000_000, 'of 60 MB');
  t.equal(write(blocks, '100999.example.org').isKnown, true);
});
