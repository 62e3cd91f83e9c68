import { getEventListeners } from 'node:events';
import t from 'tap';
import type { Collector, CollectorAddress } from '../../../proxy/export/collector-address.ts';
import { RetryingSender } from '../../../proxy/export/retrying-sender.ts';
import type { AttemptResult } from '../../../proxy/export/transport.ts';
import { FakeExportClock, loopback, plainly } from '../../support/export-fixtures.ts';

const found = (...ports: number[]): Collector => ({
  kind: 'found',
  endpoints: ports.map(plainly),
  connectTimeoutMs: 250,
});
const busy: AttemptResult = { kind: 'try-again', reason: 'busy' };
const accepted: AttemptResult = { kind: 'accepted', answer: new Uint8Array() };

function makeSender(results: AttemptResult[], collector: () => Collector = () => found(1)) {
  const clock = new FakeExportClock();
  const tried: CollectorAddress[] = [];
  const retained: number[] = [];
  const facts = { closed: 0, signal: null as AbortSignal | null };
  const sender = new RetryingSender({
    find: collector,
    transport: {
      attempt: async ({ address }, _request, { signal }) => {
        tried.push(address);
        facts.signal = signal;
        return results.shift() ?? busy;
      },
      retain: (endpoints) => retained.push(endpoints.length),
      close: () => {
        facts.closed++;
      },
    },
    timeoutMs: 1000,
    rejectedBy: () => 3,
    clock,
    random: () => 0.5,
  });
  /** The delay of the next attempt, which is then made. */
  const nextWait = async (): Promise<number> => {
    await clock.scheduled();
    const [delayMs] = clock.delays;
    clock.advance(delayMs!);
    return delayMs!;
  };
  return { sender, clock, tried, retained, facts, nextWait };
}

t.test('what is accepted is sent, with what the answer says', async (t) => {
  const { sender, tried } = makeSender([accepted]);
  t.same(await sender.send(new Uint8Array()), { kind: 'sent', rejected: 3 });
  t.same(tried, [loopback(1)]);
});

t.test('what is refused is not tried again', async (t) => {
  const { sender, tried } = makeSender([{ kind: 'refused', reason: 'no' }]);
  t.same(await sender.send(new Uint8Array()), { kind: 'refused', reason: 'no' });
  t.equal(tried.length, 1);
});

t.test('waits double up to five seconds, with chance in them, and the sixth attempt is the last', async (t) => {
  const { sender, tried, nextWait } = makeSender([]);
  const outcome = sender.send(new Uint8Array());
  const waits = [];
  for (let count = 0; count < 5; count++) waits.push(await nextWait());
  t.same(waits, [250, 500, 1000, 2000, 2500]);
  t.same(await outcome, { kind: 'failed', reason: 'busy' });
  t.equal(tried.length, 6);
});

t.test('each attempt goes to the next address, and asks anew where the collector is', async (t) => {
  let collector = found(1, 2);
  const { sender, tried, retained, nextWait } = makeSender([busy, busy, accepted], () => collector);
  const outcome = sender.send(new Uint8Array());
  await nextWait();
  collector = found(7);
  await nextWait();
  t.same(await outcome, { kind: 'sent', rejected: 3 });
  t.same(tried, [loopback(1), loopback(2), loopback(7)]);
  t.same(retained, [2, 2, 1], 'connections to others are not kept');
});

t.test('a collector that asks for time is given it, by requests that come later as well', async (t) => {
  const { sender, clock, tried, nextWait } = makeSender([
    { kind: 'try-again', reason: 'full', afterMs: 7000 },
    accepted,
    accepted,
  ]);
  const first = sender.send(new Uint8Array());
  await clock.scheduled();
  const second = sender.send(new Uint8Array());
  t.same(clock.delays, [7000, 7000]);
  t.equal(tried.length, 1);
  await nextWait();
  t.same(
    (await Promise.all([first, second])).map(({ kind }) => kind),
    ['sent', 'sent'],
  );
});

t.test('a collector that asks for longer than a queue is worth is given up until then', async (t) => {
  const { sender, tried, clock } = makeSender([{ kind: 'try-again', reason: 'full', afterMs: 60_000 }]);
  t.match(await sender.send(new Uint8Array()), { kind: 'failed', reason: /60000 ms/ });
  t.match(await sender.send(new Uint8Array()), { kind: 'failed' });
  t.equal(tried.length, 1, 'nothing was sent meanwhile');
  clock.advance(60_000);
  void sender.send(new Uint8Array());
  await new Promise(setImmediate);
  t.equal(tried.length, 2);
});

t.test('half a minute is still waited, and a moment more is not', async (t) => {
  const asks = (afterMs: number): AttemptResult => ({ kind: 'try-again', reason: 'full', afterMs });
  const { sender, tried, nextWait } = makeSender([asks(30_000), accepted, asks(30_001)]);
  const outcome = sender.send(new Uint8Array());
  t.equal(await nextWait(), 30_000);
  t.match(await outcome, { kind: 'sent' });
  t.match(await sender.send(new Uint8Array()), { kind: 'failed', reason: /30001 ms of rest/ });
  t.equal(tried.length, 3);
});

t.test('of two answers that ask for time the later counts, also when it asks for none', async (t) => {
  const asks = (afterMs: number): AttemptResult => ({ kind: 'try-again', reason: 'full', afterMs });
  const { sender, tried, nextWait } = makeSender([asks(60_000), asks(0), accepted]);
  const [first, second] = [sender.send(new Uint8Array()), sender.send(new Uint8Array())];
  t.equal(await nextWait(), 250, 'the back-off alone');
  t.match(await first, { kind: 'failed', reason: /60000 ms of rest/ });
  t.match(await second, { kind: 'sent' });
  t.equal(tried.length, 3);
});

t.test('waits leave nothing behind, however many there are', async (t) => {
  const { sender, facts, nextWait } = makeSender([]);
  for (let count = 0; count < 3; count++) {
    const outcome = sender.send(new Uint8Array());
    for (let wait = 0; wait < 5; wait++) await nextWait();
    t.match(await outcome, { kind: 'failed' });
  }
  t.same(getEventListeners(facts.signal!, 'abort'), []);
});

t.test('closing closes connections too', (t) => {
  const { sender, facts } = makeSender([]);
  sender.close();
  t.equal(facts.closed, 1);
  t.end();
});

t.test('without a cluster nothing is tried; without an endpoint it is waited for one', async (t) => {
  let collector: Collector = { kind: 'no-cluster', reason: 'there is no cluster a' };
  const { sender, nextWait } = makeSender([accepted], () => collector);
  t.same(await sender.send(new Uint8Array()), collector);
  collector = { kind: 'unreachable', reason: 'no endpoint' };
  const outcome = sender.send(new Uint8Array());
  await nextWait();
  collector = found(1);
  await nextWait();
  t.match(await outcome, { kind: 'sent' });
});

t.test('closing ends a wait', async (t) => {
  const { sender, clock } = makeSender([]);
  const outcome = sender.send(new Uint8Array());
  await clock.scheduled();
  sender.close();
  t.match(await outcome, { kind: 'failed', reason: /ends/ });
  t.same(clock.delays, []);
});

t.test('a collector that asks for years of rest is asked again after five minutes', async (t) => {
  const years: AttemptResult = { kind: 'try-again', reason: 'full', afterMs: 1e12 };
  const { sender, tried, clock } = makeSender([years, accepted]);
  t.match(await sender.send(new Uint8Array()), { kind: 'failed', reason: /^full asks for 300000 ms of rest$/ });
  clock.advance(299_000);
  t.equal(tried.length, 1);
  const outcome = sender.send(new Uint8Array());
  await clock.scheduled();
  clock.advance(1000);
  t.match(await outcome, { kind: 'sent' });
});
