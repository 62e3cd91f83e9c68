import fc from 'fast-check';
import t from 'tap';
import { RingReader } from '../../../bpf/events/ring-reader.ts';
import { ModelRing, type Reservation } from '../../support/model-ring.ts';

const nothing = () => {};

t.test('records come in order, in one piece where they wrap around, and their room is given back', (t) => {
  const ring = new ModelRing(4096);
  const reader = new RingReader(ring.memory, nothing);
  let written = 0;
  let read = 0;
  for (let round = 0; round < 200; round++) {
    for (let count = 0; count < 7; count++) ring.submit(ring.reserve(100 + (round % 50))!, ++written);
    reader.read(100, (view, offset, length) => {
      const number = view.getUint32(offset, true);
      if (number !== ++read) t.fail(`${number} came in place of ${read}`);
      for (let index = 4; index < length; index++)
        if (view.getUint8(offset + index) !== (number & 0xff)) t.fail(`record ${number} is torn`);
    });
  }
  t.equal(read, 1400);
  t.equal(ring.lost, 0);
  t.equal(ring.usedBytes, 0);
  t.end();
});

t.test('a record that is being written holds back those after it', (t) => {
  const ring = new ModelRing(4096);
  const reader = new RingReader(ring.memory, nothing);
  const first = ring.reserve(8)!;
  ring.submit(ring.reserve(8)!, 2);
  t.same(numbers(reader), []);
  ring.submit(first, 1);
  t.same(numbers(reader), [1, 2]);
  t.end();
});

t.test('a discarded record is passed over', (t) => {
  const ring = new ModelRing(4096);
  const reader = new RingReader(ring.memory, nothing);
  ring.discard(ring.reserve(8)!);
  ring.submit(ring.reserve(8)!, 1);
  t.same(numbers(reader), [1]);
  t.equal(reader.waitingBytes, 0);
  t.end();
});

t.test('a poll hands over as many as it may, and the next one goes on', (t) => {
  const ring = new ModelRing(4096);
  const reader = new RingReader(ring.memory, nothing);
  for (let number = 1; number <= 5; number++) ring.submit(ring.reserve(8)!, number);
  t.same(numbers(reader, 3), [1, 2, 3]);
  t.equal(reader.waitingBytes, 32);
  t.same(numbers(reader, 3), [4, 5]);
  t.end();
});

t.test('room is given back during a long poll', (t) => {
  const ring = new ModelRing(4096);
  const reader = new RingReader(ring.memory, nothing);
  while (ring.lost === 0) {
    const reserved = ring.reserve(100);
    if (reserved !== undefined) ring.submit(reserved, 1);
  }
  const used: number[] = [];
  reader.read(1000, () => used.push(ring.usedBytes));
  t.equal(new Set(used).size, 4, 'in quarters');
  t.end();
});

t.test('a record whose callback throws is read', (t) => {
  const ring = new ModelRing(4096);
  const reader = new RingReader(ring.memory, nothing);
  for (const number of [1, 2]) ring.submit(ring.reserve(8)!, number);
  t.throws(() =>
    reader.read(10, () => {
      throw new Error('the callback');
    }),
  );
  t.same(numbers(reader), [2]);
  t.end();
});

t.test('positions go on beyond 32 bits', (t) => {
  const ring = new ModelRing(4096, 2 ** 32 - 64);
  const reader = new RingReader(ring.memory, nothing);
  for (let round = 0; round < 10; round++) {
    ring.submit(ring.reserve(20)!, round);
    t.same(numbers(reader), [round]);
  }
  t.equal(ring.usedBytes, 0);
  t.end();
});

type Step =
  | { readonly kind: 'reserve'; readonly length: number }
  | { readonly kind: 'submit' | 'discard'; readonly which: number }
  | { readonly kind: 'read'; readonly most: number };

const steps = fc.array(
  fc.oneof<fc.Arbitrary<Step>[]>(
    fc.record({ kind: fc.constant('reserve' as const), length: fc.integer({ min: 4, max: 700 }) }),
    fc.record({ kind: fc.constantFrom('submit' as const, 'submit' as const, 'discard' as const), which: fc.nat(20) }),
    fc.record({ kind: fc.constant('read' as const), most: fc.integer({ min: 1, max: 6 }) }),
  ),
  { maxLength: 300 },
);

t.test('whatever programs and the reader do, it hands over what was submitted, once and in order', (t) => {
  fc.assert(
    fc.property(steps, fc.nat(2000), (steps, start) => {
      const ring = new ModelRing(4096, 2 ** 32 - 8 * start);
      const reader = new RingReader(ring.memory, nothing);
      const model: Entry[] = [];
      let next = 1;
      for (const step of steps) {
        if (step.kind === 'reserve') {
          const reservation = ring.reserve(step.length);
          if (reservation !== undefined) model.push({ reservation, number: next++, state: 'busy' });
        } else if (step.kind === 'read') {
          const expected = expectedOf(model, step.most);
          if (String(numbers(reader, step.most)) !== String(expected)) return false;
        } else finish(ring, model, step);
      }
      return true;
    }),
    { numRuns: 300 },
  );
  t.pass('300 runs');
  t.end();
});

interface Entry {
  readonly reservation: Reservation;
  readonly number: number;
  state: 'busy' | 'submit' | 'discard';
}

function finish(ring: ModelRing, model: Entry[], { kind, which }: Extract<Step, { which: number }>): void {
  const busy = model.filter(({ state }) => state === 'busy');
  const entry = busy[which % Math.max(1, busy.length)];
  if (entry === undefined) return;
  entry.state = kind;
  if (kind === 'submit') ring.submit(entry.reservation, entry.number);
  else ring.discard(entry.reservation);
}

/** Takes out of the model what a read hands over. Discarded ones are passed over only on the way to another record. */
function expectedOf(model: Entry[], most: number): number[] {
  const expected: number[] = [];
  while (expected.length < most && model.length > 0 && model[0]!.state !== 'busy') {
    const { state, number } = model.shift()!;
    if (state === 'submit') expected.push(number);
  }
  return expected;
}

/** The numbers of the records, each of which must be whole. */
function numbers(reader: RingReader, most = 100): number[] {
  const read: number[] = [];
  reader.read(most, (view, offset, length) => {
    const number = view.getUint32(offset, true);
    for (let index = 4; index < length; index++)
      if (view.getUint8(offset + index) !== (number & 0xff)) throw new Error(`record ${number} is torn`);
    read.push(number);
  });
  return read;
}
