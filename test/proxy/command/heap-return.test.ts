import { getHeapStatistics } from 'node:v8';
import t from 'tap';
import { HeapReturns, returnHeap } from '../../../proxy/command/heap-return.ts';

const MIB = 2 ** 20;

t.test('garbage is collected and its pages leave the heap', (t) => {
  const trees: { current: object[] | null } = {
    current: Array.from({ length: 500_000 }, (_, at) => ({ at, next: {} })),
  };
  const before = getHeapStatistics();
  t.ok(before.used_heap_size > 20 * MIB);
  trees.current = null;
  returnHeap();
  const after = getHeapStatistics();
  t.ok(after.used_heap_size < before.used_heap_size - 20 * MIB);
  t.ok(after.total_physical_size < before.total_physical_size - 15 * MIB);
  t.end();
});

t.test('the heap is returned once after much was read, when it is quiet again', async (t) => {
  const waiting: { readonly delayMs: number; readonly callback: () => void }[] = [];
  let returns = 0;
  let nowMs = 0;
  const returning = new HeapReturns({
    returnHeap: () => returns++,
    clock: () => nowMs,
    schedule: (delayMs, callback) => waiting.push({ delayMs, callback }),
  });
  const wait = (): number => {
    const { delayMs, callback } = waiting.shift()!;
    nowMs += delayMs;
    callback();
    return delayMs;
  };
  for (let count = 0; count < 1023; count++) returning.onRead(1024);
  t.equal(waiting.length, 0, 'that is little');
  for (let count = 0; count < 5000; count++) returning.onRead(1024);
  t.equal(waiting.length, 1, 'one push is one return');
  nowMs = 4000;
  returning.onRead(1);
  nowMs = 0;
  t.equal(wait(), 10_000);
  t.equal(returns, 0, 'something was read meanwhile');
  t.equal(wait(), 4000);
  t.equal(returns, 1);
  returning.onRead(1024);
  t.equal(waiting.length, 0, 'what was read before is settled');
  returning.onRead(MIB);
  t.equal(waiting.length, 1);
});
