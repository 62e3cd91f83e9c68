import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { type BlockAnnouncement, WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const { upstreamRqTotal, upstreamRqTime } = clusterStats;

t.test('who asks for the same name gets the same block, until the last released it', (t) => {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  const block = worker.block(clusterStats, 'a');
  t.equal(worker.block(clusterStats, 'a'), block);
  t.not(worker.block(clusterStats, 'b'), block);
  worker.release(block);
  t.ok(store.get(clusterStats, 'a'));
  worker.release(block);
  t.equal(store.get(clusterStats, 'a'), undefined);
  t.throws(() => worker.release(block), /released twice/);
  t.end();
});

t.test('announcements are plain data and each set is announced once', (t) => {
  const messages: BlockAnnouncement[] = [];
  const worker = new WorkerStats((message) => messages.push(structuredClone(message)));
  worker.block(clusterStats, 'a');
  worker.block(clusterStats, 'b');
  worker.block(endpointStats, 'a', '10.0.0.1:80');
  t.strictSame(
    messages.map((message) => message.kind),
    ['chunk', 'set', 'block', 'block', 'set', 'block'],
  );
  t.end();
});

t.test('slots of a released block are used again only after the reader forgot it', (t) => {
  const store = new StatsStore();
  const waiting: BlockAnnouncement[] = [];
  const worker = new WorkerStats((message) => waiting.push(message));
  const deliver = () => {
    for (const message of waiting.splice(0)) store.accept(0, message);
  };
  const old = worker.block(clusterStats, 'old');
  old.add(upstreamRqTotal, 41);
  old.record(upstreamRqTime, 5);
  deliver();
  worker.release(old);
  const early = worker.block(clusterStats, 'early');
  t.not(early.address, old.address);
  early.add(upstreamRqTotal, 1);
  t.equal(store.get(clusterStats, 'old')!.value(upstreamRqTotal), 41, 'a late reader still sees its own numbers');
  deliver();
  const late = worker.block(clusterStats, 'late');
  t.equal(late.address, old.address);
  deliver();
  t.equal(store.get(clusterStats, 'late')!.value(upstreamRqTotal), 0);
  t.notOk(store.get(clusterStats, 'late')!.isUsed(upstreamRqTotal));
  t.equal(store.get(clusterStats, 'late')!.histogram(upstreamRqTime).count, 0);
  t.end();
});

t.test('ten thousand clusters that come and go take the memory of the few there are at once', (t) => {
  let chunks = 0;
  const store = new StatsStore();
  const worker = new WorkerStats((message) => {
    if (message.kind === 'chunk') chunks++;
    store.accept(0, message);
  });
  for (let number = 0; number < 10_000; number++) {
    const block = worker.block(clusterStats, `cluster-${number}`);
    block.inc(upstreamRqTotal);
    block.record(upstreamRqTime, number);
    block.incCode(clusterStats.upstreamRqCode, 200);
    worker.release(block);
  }
  t.equal(chunks, 1);
  t.strictSame(store.groups(), []);
  t.end();
});
