import t from 'tap';
import { QuietHeap } from '../../../proxy/worker/quiet-heap.ts';

const MINUTE_MS = 60_000;

t.test('the heap is returned once, when ten minutes have passed since there was traffic', (t) => {
  let returns = 0;
  const heap = new QuietHeap(() => returns++);
  heap.keepHouse(0, 5);
  heap.keepHouse(20 * MINUTE_MS, 10);
  t.equal(returns, 0, 'there was no traffic');
  heap.keepHouse(21 * MINUTE_MS, 1010);
  heap.keepHouse(31 * MINUTE_MS - 1, 1015);
  t.equal(returns, 0, 'it is too early');
  heap.keepHouse(31 * MINUTE_MS, 1035);
  t.equal(returns, 1, 'a few events are no traffic');
  heap.keepHouse(45 * MINUTE_MS, 1036);
  t.equal(returns, 1, 'nothing is new');
  heap.keepHouse(46 * MINUTE_MS, 5000);
  heap.keepHouse(50 * MINUTE_MS, 9000);
  heap.keepHouse(56 * MINUTE_MS, 9001);
  t.equal(returns, 1, 'traffic begins the ten minutes anew');
  heap.keepHouse(60 * MINUTE_MS, 9002);
  t.equal(returns, 2);
  t.end();
});
