import t from 'tap';
import { EventStream } from '../../../bpf/events/event-stream.ts';
import { RingReader } from '../../../bpf/events/ring-reader.ts';
import { connectionEventLayout, EventsCounter } from '../../../bpf/generated/events.ts';
import { ModelRing } from '../../support/model-ring.ts';

t.test('events are handed over by one object, and what was lost is told once', (t) => {
  const rig = startStream();
  rig.write(3);
  rig.counters[EventsCounter.EVENTS_LOST] = 5;
  rig.pass();
  t.same(rig.seen, [1, 2, 3]);
  t.same(rig.lost, [5]);
  t.equal(rig.objects.size, 1);
  rig.pass();
  t.same(rig.lost, [5]);
  rig.counters[EventsCounter.EVENTS_LOST] = 7;
  rig.pass();
  t.same(rig.lost, [5, 2]);
  t.end();
});

t.test('what was lost before it began is not told', (t) => {
  const rig = startStream(9);
  rig.pass();
  t.same(rig.lost, []);
  t.end();
});

t.test('an idle ring is looked at less often, a busy one more often', (t) => {
  const rig = startStream();
  for (let count = 0; count < 10; count++) rig.pass();
  t.equal(rig.delays.at(-1), 20);
  rig.write(3000);
  rig.pass();
  t.equal(rig.delays.at(-1), 2);
  for (const delayMs of [4, 8, 16, 20]) {
    rig.pass();
    t.equal(rig.delays.at(-1), delayMs);
  }
  t.end();
});

t.test('a long backlog is read in turns with others', (t) => {
  const rig = startStream();
  rig.write(7000);
  rig.pass();
  t.equal(rig.seen.length, 4096);
  t.equal(rig.delays.at(-1), 0);
  rig.pass();
  t.equal(rig.seen.length, 7000);
  t.not(rig.delays.at(-1), 0);
  t.end();
});

t.test('stopping hands over what is there, and nothing after it', (t) => {
  const rig = startStream();
  rig.write(5000);
  rig.stream.stop();
  t.equal(rig.seen.length, 5000);
  rig.write(1);
  rig.pass();
  rig.stream.stop();
  t.equal(rig.seen.length, 5000);
  t.equal(rig.waiting.length, 0, 'it waits for nothing any more');
  t.end();
});

t.test('a record that is too short for an event is a fault', (t) => {
  const rig = startStream();
  rig.ring.submit(rig.ring.reserve(connectionEventLayout.bytes - 8)!, 1);
  t.throws(() => rig.pass(), { message: 'an event of 120 bytes' });
  t.end();
});

/** A stream over a ring of 1 MiB whose timer is the test's. Every byte of an event but the first four is its number. */
function startStream(lostBefore = 0) {
  const ring = new ModelRing(1024 * 1024);
  const counters = [0, lostBefore];
  const waiting: (() => void)[] = [];
  const delays: number[] = [];
  const seen: number[] = [];
  const lost: number[] = [];
  const objects = new Set<unknown>();
  let number = 0;
  const stream = new EventStream({
    ring: new RingReader(ring.memory, () => {}),
    counters: { value: (counter) => counters[counter]! },
    onEvent: (event) => {
      objects.add(event);
      seen.push(event.retransmits & 0xff);
    },
    onLost: (count) => lost.push(count),
    schedule: (delayMs, callback) => {
      delays.push(delayMs);
      waiting.push(callback);
    },
  });
  const write = (count: number) => {
    for (let index = 0; index < count; index++) ring.submit(ring.reserve(connectionEventLayout.bytes)!, ++number);
  };
  return { ring, stream, counters, waiting, delays, seen, lost, objects, write, pass: () => waiting.shift()!() };
}
