import fc from 'fast-check';
import t from 'tap';
import { chunkNumber, chunkSlots, SlotMemory, slotOffset } from '../../../proxy/telemetry/slot-memory.ts';

t.test('allocations never overlap, begin at zero, and stay within one chunk', (t) => {
  const step = fc.record({ slots: fc.integer({ min: 1, max: 3000 }), isReleased: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const memory = new SlotMemory(() => {});
      const owners = new Set<number>();
      for (const { slots, isReleased } of steps) {
        const address = memory.allocate(slots);
        if (slotOffset(address) + slots > chunkSlots) return false;
        const values = memory.chunks[chunkNumber(address)]!.subarray(slotOffset(address), slotOffset(address) + slots);
        if (values.some((value) => value !== 0)) return false;
        values.fill(1);
        for (let slot = address; slot < address + slots; slot++) {
          if (owners.has(slot)) return false;
          if (!isReleased) owners.add(slot);
        }
        if (isReleased) memory.free(address, slots);
      }
      return true;
    }),
    { numRuns: 10 },
  );
  t.end();
});

t.test('every chunk is announced in order, the first at once', (t) => {
  const announced: SharedArrayBuffer[] = [];
  const memory = new SlotMemory((chunk) => announced.push(chunk));
  t.equal(announced.length, 1);
  memory.allocate(chunkSlots - 1);
  t.equal(announced.length, 1);
  const address = memory.allocate(1);
  t.equal(announced.length, 2);
  t.equal(chunkNumber(address), 1);
  t.equal(memory.chunks[1]!.buffer, announced[1]);
  t.end();
});

t.test('the address 0 is never given out', (t) => {
  const memory = new SlotMemory(() => {});
  t.not(memory.allocate(1), 0);
  t.end();
});
