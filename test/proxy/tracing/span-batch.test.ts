import t from 'tap';
import { TimerWheel } from '../../../proxy/reactor/timer-wheel.ts';
import { SpanBatch } from '../../../proxy/tracing/span-batch.ts';

function start() {
  const timers = new TimerWheel(0);
  const sent: [bytes: number, count: number][] = [];
  const batch = new SpanBatch({ timers, publish: (bytes, count) => sent.push([bytes.length, count]) });
  const record = (length: number) => {
    batch.writer.raw(new Uint8Array(length), 0, length);
    batch.onWritten();
  };
  const advance = (toMs: number) => timers.advance(toMs);
  return { batch, sent, record, advance };
}

t.test('a batch leaves when it is large enough, or after 200 ms', async (t) => {
  const { sent, record, advance } = start();
  record(65_535);
  t.same(sent, []);
  record(1);
  t.same(sent, [[65_536, 2]]);
  record(10);
  advance(100);
  record(10);
  advance(199);
  t.equal(sent.length, 1);
  advance(201);
  t.same(sent[1], [20, 2]);
  advance(1000);
  t.equal(sent.length, 2, 'nothing leaves when nothing waits');
});

t.test("a buffer that left is of the size of what is in it and nobody else's", async (t) => {
  const timers = new TimerWheel(0);
  const buffers: ArrayBuffer[] = [];
  const batch = new SpanBatch({ timers, publish: ({ buffer }) => buffers.push(buffer) });
  for (const value of [1, 2]) {
    batch.writer.byte(value);
    batch.onWritten();
    batch.flush();
  }
  t.same(
    buffers.map((buffer) => [...new Uint8Array(buffer)]),
    [[1], [2]],
  );
});

t.test('32 batches may be on the way; then there is room for 64 KiB, and of errors for as much again', async (t) => {
  const { batch, sent, record } = start();
  for (let index = 0; index < 32; index++) record(65_536);
  t.equal(sent.length, 32);
  t.same([batch.hasRoom(false), batch.hasRoom(true)], [true, true]);
  record(65_536);
  t.same([batch.hasRoom(false), batch.hasRoom(true)], [false, true]);
  record(65_536);
  t.same([batch.hasRoom(false), batch.hasRoom(true)], [false, false]);
  batch.flush();
  t.equal(sent.length, 32);
  batch.onTaken();
  t.same(sent[32], [131_072, 2]);
  t.equal(batch.hasRoom(false), true);
  record(5);
  batch.finish();
  t.same(sent[33], [5, 1], 'at the end everything leaves');
});

t.test('a batch that was taken does not hurry the next one', async (t) => {
  const { batch, sent, record, advance } = start();
  record(10);
  advance(201);
  t.equal(sent.length, 1);
  record(10);
  batch.onTaken();
  t.equal(sent.length, 1);
  record(10);
  advance(402);
  t.same(sent[1], [20, 2]);
});
