import t from 'tap';
import { SampledKey } from '../../../proxy/export/sampled-key.ts';
import { samplerKeyStats } from '../../../proxy/telemetry/sampling-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';

function key(headerRule = -1) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(-1, message));
  const sampled = new SampledKey({ service: 'a', route: '/r', method: 'GET', headerRule }, stats);
  return { sampled, store, names: () => store.groups().map(({ names }) => names.join(' ')) };
}

t.test('reasons have series from their first record on, and none when the key is gone', (t) => {
  const { sampled, names } = key(3);
  t.same(names(), ['a /r GET 3']);
  sampled.countKept(SamplingReason.slow, 2);
  sampled.countDropped('budget', 1);
  sampled.countDropped('budget', 4);
  t.same(new Set(names()), new Set(['a /r GET 3', 'a /r GET 3 slow', 'a /r GET 3 budget']));
  t.same([sampled.kept, sampled.dropped], [{ slow: 2 }, { budget: 5 }]);
  sampled.release();
  t.same(names(), []);
  t.end();
});

t.test('a request of which nothing comes within three windows was not chosen', (t) => {
  const { sampled } = key();
  sampled.countRequests(10, 0);
  const unchosen = [1, 2, 3].map(() => sampled.closeWindow(1000, 0.1));
  sampled.countKept(SamplingReason.head, 1);
  sampled.countRequests(2, 3);
  unchosen.push(sampled.closeWindow(500, 0.1));
  t.same(unchosen, [0, 0, 0, 9]);
  t.equal(sampled.requestsPerSecond, 10, 'five in half a second');
  t.equal(sampled.begunPerSecond, 4, 'two of them without a caller’s decision');
  t.same(sampled.dropped, { probability: 9 });
  for (let window = 0; window < 3; window++) sampled.closeWindow(1000, 0.1);
  t.same(sampled.dropped, { probability: 14 });
  t.end();
});

t.test('requests that came without a decision are counted, and only they', (t) => {
  const { sampled, store } = key();
  const begun = () => store.get(samplerKeyStats, 'a', '/r', 'GET', '')!;
  sampled.countRequests(0, 7);
  t.notOk(begun().isUsed(samplerKeyStats.begunTotal), 'no series where everybody decides');
  sampled.countRequests(3, 7);
  sampled.countRequests(1, 0);
  t.equal(begun().value(samplerKeyStats.begunTotal), 4);
  t.end();
});
