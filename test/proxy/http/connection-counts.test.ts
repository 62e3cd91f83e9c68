// Who ended a connection, and what it was.

import t from 'tap';
import { countEnded, countOpened } from '../../../proxy/http/connection-counts.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const sizes = { lengthMs: 1, receivedBytes: 1, sentBytes: 1 };

t.test('a connection with a request under way is counted by who ended it', async (t) => {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(1, message)).block(httpStats, 'test');
  const counted = () => {
    const of = store.get(httpStats, 'test')!;
    const { downstreamCxDestroyActiveRq, downstreamCxDestroyLocalActiveRq, downstreamCxDestroyRemoteActiveRq } =
      httpStats;
    return [downstreamCxDestroyActiveRq, downstreamCxDestroyLocalActiveRq, downstreamCxDestroyRemoteActiveRq].map(
      (stat) => of.value(stat),
    );
  };
  for (let opened = 0; opened < 3; opened++) countOpened(block);
  countEnded(block, { ...sizes, isRemote: true, hadRequest: false });
  t.same(counted(), [0, 0, 0]);
  countEnded(block, { ...sizes, isRemote: true, hadRequest: true });
  t.same(counted(), [1, 0, 1]);
  countEnded(block, { ...sizes, isRemote: false, hadRequest: true });
  t.same(counted(), [2, 1, 1]);
});

t.test('one under TLS is counted as such as long as it is open', async (t) => {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(1, message)).block(httpStats, 'test');
  const counted = () => {
    const of = store.get(httpStats, 'test')!;
    return [of.value(httpStats.downstreamCxSslTotal), of.value(httpStats.downstreamCxSslActive)];
  };
  countOpened(block);
  t.same(counted(), [0, 0]);
  countOpened(block, true);
  t.same(counted(), [1, 1]);
  countEnded(block, { ...sizes, isTls: true, isRemote: true, hadRequest: false });
  countEnded(block, { ...sizes, isRemote: true, hadRequest: false });
  t.same(counted(), [1, 0]);
});
