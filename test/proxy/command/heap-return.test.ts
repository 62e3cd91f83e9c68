import { getHeapStatistics } from 'node:v8';
import t from 'tap';
import { returnHeap } from '../../../proxy/command/heap-return.ts';

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
