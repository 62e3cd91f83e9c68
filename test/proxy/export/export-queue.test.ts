import t from 'tap';
import { batchLimits, ExportQueue } from '../../../proxy/export/export-queue.ts';
import type { SendOutcome } from '../../../proxy/export/sender.ts';
import { FakeExportClock } from '../../support/export-fixtures.ts';

interface Call {
  readonly bytes: Uint8Array;
  readonly answer: (outcome: SendOutcome) => void;
}

function makeQueue({ maxItems = 10_000, maxBytes }: { maxItems?: number; maxBytes?: number } = {}) {
  const calls: Call[] = [];
  const sent: [number, string][] = [];
  const outcomes: [string, number][] = [];
  const facts = { dropped: 0, isClosed: false };
  const clock = new FakeExportClock();
  const exported = new ExportQueue<Uint8Array, Uint8Array[]>({
    sender: {
      send: (batch) => new Promise((answer) => calls.push({ bytes: Buffer.concat(batch), answer })),
      close: () => {
        facts.isClosed = true;
        for (const { answer } of calls.splice(0)) answer({ kind: 'failed', reason: 'the process ends' });
      },
    },
    open: () => [],
    maxItems,
    ...(maxBytes !== undefined && { maxBytes }),
    clock,
    events: {
      onSend: (items, cause) => sent.push([items, cause]),
      onOutcome: ({ kind }, items) => outcomes.push([kind, items]),
      onDrop: (items) => {
        facts.dropped += items;
      },
    },
  });
  const queue = {
    push: (bytes: Uint8Array, items: number, isUrgent?: boolean) =>
      exported.push(bytes, { items, bytes: bytes.length }, isUrgent),
    hurry: () => exported.hurry(),
    flush: () => exported.flush(),
    close: (withinMs: number) => exported.close(withinMs),
    get held() {
      return exported.held;
    },
  };
  /** Answers the oldest request that waits. */
  const answer = async (outcome: SendOutcome = { kind: 'sent', rejected: 0 }) => {
    calls.shift()!.answer(outcome);
    await new Promise(setImmediate);
  };
  return { queue, calls, sent, outcomes, facts, clock, answer };
}

const item = Buffer.from('x');

t.test('a batch leaves when its oldest item has waited a second', async (t) => {
  const { queue, calls, sent, outcomes, clock, answer } = makeQueue();
  queue.push(Buffer.from('a'), 1);
  clock.advance(batchLimits.waitMs - 1);
  queue.push(Buffer.from('b'), 2);
  t.same(calls.length, 0);
  clock.advance(1);
  t.equal(Buffer.from(calls[0]!.bytes).toString(), 'ab');
  t.same(sent, [[3, 'timer']]);
  t.same(queue.held, { items: 3, bytes: 2 });
  await answer();
  t.same(outcomes, [['sent', 3]]);
  t.same(queue.held, { items: 0, bytes: 0 });
  t.same(clock.delays, [], 'nothing waits, and no timer runs');
});

t.test('the limits are those that users are told of', (t) => {
  t.same(batchLimits, { items: 512, bytes: 2 ** 20, waitMs: 1000 });
  const { queue } = makeQueue({ maxItems: 100 });
  const quarter = Buffer.alloc(4 * 2 ** 20);
  for (let count = 0; count < 4; count++) t.ok(queue.push(quarter, 1));
  t.notOk(queue.push(item, 1), '16 MiB wait');
  t.end();
});

t.test('what comes behind a batch that was due waits a second of its own', async (t) => {
  const { queue, calls, clock, answer } = makeQueue();
  queue.push(item, 1);
  clock.advance(batchLimits.waitMs);
  t.equal(calls.length, 1);
  await answer();
  queue.push(item, 1);
  clock.advance(batchLimits.waitMs - 1);
  t.equal(calls.length, 0, 'one that was due does not make the next one due');
  clock.advance(1);
  t.equal(calls.length, 1);
  await answer();
});

t.test('the time of a batch that left because it was full is over with it', (t) => {
  const { queue, calls, clock } = makeQueue();
  queue.push(item, 1);
  clock.advance(batchLimits.waitMs / 2);
  queue.push(item, batchLimits.items - 1);
  t.equal(calls.length, 1);
  queue.push(item, 1);
  clock.advance(batchLimits.waitMs - 1);
  t.equal(calls.length, 1);
  clock.advance(1);
  t.equal(calls.length, 2);
  t.end();
});

t.test('who hurries sends what waits, and nothing that comes later', (t) => {
  const { queue, sent, clock } = makeQueue();
  queue.hurry();
  queue.push(item, 1);
  t.same(sent, [], 'nothing waited');
  queue.hurry();
  queue.push(item, 2);
  t.same(sent, [[1, 'timer']]);
  clock.advance(batchLimits.waitMs);
  t.same(sent, [
    [1, 'timer'],
    [2, 'timer'],
  ]);
  t.end();
});

t.test('a full batch leaves at once, and what is beyond it waits', (t) => {
  const { queue, sent } = makeQueue();
  for (let count = 0; count < batchLimits.items + 5; count++) queue.push(item, 1);
  t.same(sent, [[batchLimits.items, 'size']]);
  t.end();
});

t.test('entries stay whole: one that does not fit begins the next batch', (t) => {
  const { queue, sent } = makeQueue();
  queue.push(item, 500);
  queue.push(item, 100);
  t.same(sent, [[500, 'size']]);
  queue.push(item, 2000);
  t.same(sent.slice(1), [
    [100, 'size'],
    [2000, 'size'],
  ]);
  t.end();
});

t.test('a batch is full by bytes, too', (t) => {
  const { queue, calls } = makeQueue();
  const half = Buffer.alloc(batchLimits.bytes / 2 + 1);
  queue.push(half, 1);
  queue.push(half, 1);
  t.equal(calls.length, 1);
  t.equal(calls[0]!.bytes.length, half.length);
  t.end();
});

t.test('when it is full the newest is refused and counted, whatever waits or is on its way', async (t) => {
  const { queue, facts, answer } = makeQueue({ maxItems: 1000 });
  for (let count = 0; count < 1100; count++) queue.push(item, 1);
  t.equal(facts.dropped, 100);
  t.equal(queue.held.items, 1000);
  t.notOk(queue.push(item, 1));
  await answer();
  t.ok(queue.push(item, 1), 'there is room again');
});

t.test('bytes are bounded as items are', (t) => {
  const { queue, facts } = makeQueue({ maxBytes: 100 });
  t.ok(queue.push(Buffer.alloc(60), 1));
  t.notOk(queue.push(Buffer.alloc(60), 7));
  t.equal(facts.dropped, 7);
  t.end();
});

t.test('what is urgent finds room that others do not', (t) => {
  const { queue } = makeQueue({ maxItems: 100 });
  for (let count = 0; count < 100; count++) queue.push(item, 1);
  t.notOk(queue.push(item, 1));
  for (let count = 0; count < 25; count++) t.ok(queue.push(item, 1, true));
  t.notOk(queue.push(item, 1, true), 'and that is bounded');
  t.end();
});

t.test('a collector has four requests to answer at most', async (t) => {
  const { queue, calls, answer } = makeQueue();
  for (let count = 0; count < 6 * batchLimits.items; count++) queue.push(item, 1);
  t.equal(calls.length, 4);
  await answer();
  t.equal(calls.length, 4, 'the fifth follows the first answer');
  await answer();
  await answer();
  t.equal(calls.length, 3);
});

t.test('a failure frees its room and is told', async (t) => {
  const { queue, outcomes, clock, answer } = makeQueue();
  queue.push(item, 4);
  clock.advance(batchLimits.waitMs);
  await answer({ kind: 'failed', reason: 'gone' });
  t.same(outcomes, [['failed', 4]]);
  t.equal(queue.held.items, 0);
});

t.test('flush sends what waits and resolves when it was answered', async (t) => {
  const { queue, sent, answer } = makeQueue();
  await queue.flush();
  queue.push(item, 1);
  const flushed = queue.flush();
  t.same(sent, [[1, 'end']]);
  await answer();
  await flushed;
});

t.test('what is flushed in several requests is so with the last answer', async (t) => {
  const { queue, sent, answer } = makeQueue();
  let isFlushed = false;
  queue.push(item, batchLimits.items);
  queue.push(item, 1);
  const flushed = queue.flush().then(() => {
    isFlushed = true;
  });
  t.equal(sent.length, 2);
  await answer();
  t.equal(isFlushed, false);
  await answer();
  await flushed;
});

t.test('close waits for answers only so long, and counts what is given up', async (t) => {
  const { queue, facts, outcomes, clock } = makeQueue();
  for (let count = 0; count < 5 * batchLimits.items; count++) queue.push(item, 1);
  const closed = queue.close(3000);
  clock.advance(3000);
  await closed;
  t.ok(facts.isClosed);
  t.equal(facts.dropped, batchLimits.items, 'the fifth batch never left');
  t.equal(outcomes.length, 4);
  t.same(queue.held, { items: 0, bytes: 0 });
  const again = queue.close(0);
  clock.advance(0);
  await again;
  t.equal(facts.dropped, batchLimits.items, 'what is given up is so once');
});

t.test('close of an empty queue is done at once', async (t) => {
  const { queue, facts, clock } = makeQueue();
  await queue.close(3000);
  t.ok(facts.isClosed);
  t.same(clock.delays, []);
});
