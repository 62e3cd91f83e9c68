import t from 'tap';
import {
  KeyCounter,
  ReachedStratum,
  reachedThresholdAt,
  SamplingMemory,
  thresholdAt,
} from '../../../proxy/tracing/sampling-memory.ts';
import { maxKeys } from '../../../sampler/key-table.ts';

t.test('both sides see the same cells, each its own', async (t) => {
  const worker = new SamplingMemory();
  const main = new SamplingMemory(worker.buffer);
  const textAt = (at: number) => Buffer.from(worker.thresholds.subarray(at, at + 14)).toString();
  for (const slot of [0, 1, maxKeys - 1]) {
    t.equal(textAt(thresholdAt(slot)), '0'.repeat(14), 'what nobody set keeps everything');
    main.setThreshold(slot, `fd70a4000000${String(slot % 100).padStart(2, '0')}`);
  }
  main.setReached(ReachedStratum.head, 'gggggggggggggg');
  main.setReached(ReachedStratum.error, '80000000000000');
  for (const slot of [0, 1, maxKeys - 1])
    t.equal(textAt(thresholdAt(slot)), `fd70a4000000${String(slot % 100).padStart(2, '0')}`);
  t.equal(textAt(reachedThresholdAt(ReachedStratum.head)), 'gggggggggggggg');
  t.equal(textAt(reachedThresholdAt(ReachedStratum.error)), '80000000000000');
  worker.restart(1, 'ffffffffffffff');
  t.equal(textAt(thresholdAt(1)), 'f'.repeat(14));
  t.equal(textAt(thresholdAt(0)), 'fd70a400000000');
  for (const counter of Object.values(KeyCounter)) {
    for (let times = 0; times <= counter; times++) worker.count(maxKeys - 1, counter);
  }
  for (const counter of Object.values(KeyCounter)) {
    t.equal(main.counter(maxKeys - 1, counter), counter + 1);
    t.equal(main.counter(0, counter), 0);
  }
});

t.test('a threshold of another length is a mistake', async (t) => {
  t.throws(() => new SamplingMemory().setThreshold(0, 'fd7'), /14 digits/);
});
