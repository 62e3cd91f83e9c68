import t from 'tap';
import { TimerWheel } from '../../../proxy/reactor/timer-wheel.ts';
import { SpanBatch } from '../../../proxy/tracing/span-batch.ts';

function start() {
  const timers = new TimerWheel(0);
  const sent: [bytes: number, count: number][] = [];
  const batch = new SpanBatch({ timers, publish: (bytes, count) => sent.push([bytes.length, count]) });
  const record = (length: number, isChosen = true) => {
    batch.writer.raw(new Uint8Array(length), 0, length);
    batch.onWritten(isChosen);
  };
  const advance = (toMs: number) => timers.advance(toMs);
  return { batch, sent, record, advance };
}

t.test('a batch leaves when it is large enough, or after a second', async (t) => {
  const { sent, record, advance } = start();
  record(262_143);
  t.same(sent, []);
  record(1);
  t.same(sent, [[262_144, 2]]);
  record(10);
  advance(500);
  record(10);
  advance(999);
  t.equal(sent.length, 1);
  advance(1001);
  t.same(sent[1], [20, 2]);
  advance(3000);
  t.equal(sent.length, 2, 'nothing leaves when nothing waits');
});

t.test('an error leaves within 200 ms, with what else is there', async (t) => {
  const { sent, record, advance } = start();
  record(10);
  advance(500);
  record(10, false);
  advance(600);
  record(10, false);
  advance(699);
  t.equal(sent.length, 0);
  advance(701);
  t.same(sent, [[30, 3]]);
  record(10, false);
  record(10);
  advance(902);
  t.same(sent[1], [20, 2]);
  advance(3000);
  t.equal(sent.length, 2);
});

t.test('an error that comes late does not keep a batch from leaving in time', async (t) => {
  const { sent, record, advance } = start();
  record(10);
  advance(950);
  record(10, false);
  advance(1001);
  t.same(sent, [[20, 2]]);
});

t.test("a buffer that left is of the size of what is in it and nobody else's", async (t) => {
  const timers = new TimerWheel(0);
  const buffers: ArrayBuffer[] = [];
  const batch = new SpanBatch({ timers, publish: ({ buffer }) => buffers.push(buffer) });
  for (const value of [1, 2]) {
    batch.writer.byte(value);
    batch.onWritten(true);
    batch.flush();
  }
  t.same(
    buffers.map((buffer) => [...new Uint8Array(buffer)]),
    [[1], [2]],
  );
});

t.test('8 batches may be on the way; then there is room for 256 KiB, and of errors for as much again', async (t) => {
  const { batch, sent, record } = start();
  for (let index = 0; index < 8; index++) record(262_144);
  t.equal(sent.length, 8);
  t.same([batch.hasRoom(false), batch.hasRoom(true)], [true, true]);
  record(262_144);
  t.same([batch.hasRoom(false), batch.hasRoom(true)], [false, true]);
  record(262_144);
  t.same([batch.hasRoom(false), batch.hasRoom(true)], [false, false]);
  batch.flush();
  t.equal(sent.length, 8);
  batch.onTaken();
  t.same(sent[8], [524_288, 2]);
  t.equal(batch.hasRoom(false), true);
  record(5);
  batch.finish();
  t.same(sent[9], [5, 1], 'at the end everything leaves');
});

t.test('a batch that was taken does not hurry the next one', async (t) => {
  const { batch, sent, record, advance } = start();
  record(10);
  advance(1001);
  t.equal(sent.length, 1);
  record(10);
  batch.onTaken();
  t.equal(sent.length, 1);
  record(10);
  advance(2002);
  t.same(sent[1], [20, 2]);
});
