import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { controlPlaneStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { SlotMemory } from '../../../proxy/telemetry/slot-memory.ts';
import { StatGroup } from '../../../proxy/telemetry/stat-group.ts';
import { StatBlock } from '../../../proxy/telemetry/stats.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { statsText } from '../../../proxy/telemetry/stats-text.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const identifierPlace = { scope: controlPlaneStats.scope, names: [], name: 'identifier' };

const { upstreamRqTotal, upstreamCxActive, membershipTotal, upstreamRqTime, upstreamRqCode } = clusterStats;

/** A store with two workers, whose announcements arrive as copies, as from other threads. */
function fixture() {
  const store = new StatsStore();
  const workers = [0, 1].map((number) => new WorkerStats((message) => store.accept(number, structuredClone(message))));
  const [first, second] = workers.map((worker) => worker.block(clusterStats, 'a'));
  return { store, workers, first: first!, second: second!, group: store.get(clusterStats, 'a')! };
}

t.test('counters and gauges of all workers are summed, facts are not', (t) => {
  const { first, second, group } = fixture();
  first.add(upstreamRqTotal, 2);
  second.add(upstreamRqTotal, 3);
  first.inc(upstreamCxActive);
  second.inc(upstreamCxActive);
  first.set(membershipTotal, 4);
  second.set(membershipTotal, 4);
  t.equal(group.value(upstreamRqTotal), 5);
  t.equal(group.value(upstreamCxActive), 2);
  t.equal(group.value(membershipTotal), 4);
  t.end();
});

t.test('a stat is used from its first write on, even when it is back at 0', (t) => {
  const { first, group } = fixture();
  t.notOk(group.isUsed(upstreamCxActive));
  first.inc(upstreamCxActive);
  first.dec(upstreamCxActive);
  t.equal(group.value(upstreamCxActive), 0);
  t.ok(group.isUsed(upstreamCxActive));
  t.notOk(group.isUsed(membershipTotal));
  first.set(membershipTotal, 0);
  t.ok(group.isUsed(membershipTotal));
  t.notOk(group.isUsed(upstreamRqTime));
  first.record(upstreamRqTime, 0);
  t.ok(group.isUsed(upstreamRqTime));
  t.end();
});

t.test('a reset begins counters again and leaves gauges and histograms', (t) => {
  const { store, first, second, group } = fixture();
  first.add(upstreamRqTotal, 2);
  second.add(upstreamRqTotal, 3);
  first.inc(upstreamCxActive);
  first.incCode(upstreamRqCode, 200);
  first.record(upstreamRqTime, 9);
  store.resetCounters();
  t.equal(group.value(upstreamRqTotal), 0);
  t.equal(group.codes(upstreamRqCode).get(200), 0);
  t.equal(group.value(upstreamCxActive), 1);
  t.equal(group.histogram(upstreamRqTime).count, 1);
  second.inc(upstreamRqTotal);
  first.incCode(upstreamRqCode, 200);
  t.equal(group.value(upstreamRqTotal), 1);
  t.equal(group.codes(upstreamRqCode).get(200), 1);
  t.end();
});

t.test('an interval of a histogram is what came between two flushes', (t) => {
  const { store, first, second, group } = fixture();
  first.record(upstreamRqTime, 100);
  t.equal(group.interval(upstreamRqTime).count, 0);
  takeAllSteps(store.flushIntervals());
  t.equal(group.interval(upstreamRqTime).count, 1);
  second.record(upstreamRqTime, 1);
  second.record(upstreamRqTime, 1);
  takeAllSteps(store.flushIntervals());
  t.equal(group.interval(upstreamRqTime).count, 2);
  t.equal(group.histogram(upstreamRqTime).count, 3);
  takeAllSteps(store.flushIntervals());
  t.equal(group.interval(upstreamRqTime).count, 0);
  t.end();
});

t.test('an interval is right behind any number of quiet ones, and when a thread has left', (t) => {
  const { store, workers, first, second, group } = fixture();
  const flush = () => {
    takeAllSteps(store.flushIntervals());
    return [group.interval(upstreamRqTime).count, group.interval(upstreamRqTime).sum];
  };
  first.record(upstreamRqTime, 100);
  second.record(upstreamRqTime, 50);
  t.same(
    [flush(), flush(), flush(), flush()],
    [
      [2, 150],
      [0, 0],
      [0, 0],
      [0, 0],
    ],
  );
  second.record(upstreamRqTime, 0);
  t.same(
    [flush(), flush(), flush()],
    [
      [1, 0],
      [0, 0],
      [0, 0],
    ],
  );
  workers[1]!.release(second);
  t.same([flush(), flush(), flush()], Array(3).fill([0, 0]));
  first.record(upstreamRqTime, 7);
  t.same(
    [flush(), flush()],
    [
      [1, 7],
      [0, 0],
    ],
  );
  t.end();
});

t.test('intervals of many groups end in steps, between which groups come and go', (t) => {
  const { store, workers, first, group } = fixture();
  const blocks = Array.from({ length: 250 }, (_, at) => workers[0]!.block(clusterStats, `b${at}`));
  first.record(upstreamRqTime, 1);
  for (const block of blocks) block.record(upstreamRqTime, 1);
  const steps = store.flushIntervals();
  t.equal(steps.next().done, false);
  t.equal(group.interval(upstreamRqTime).count, 1);
  const last = store.get(clusterStats, 'b249')!;
  t.equal(last.interval(upstreamRqTime).count, 0, 'its turn comes later');
  workers[0]!.release(blocks[248]!);
  workers[0]!.block(clusterStats, 'late').record(upstreamRqTime, 1);
  t.equal([...steps].length, 1);
  t.equal(last.interval(upstreamRqTime).count, 1);
  t.equal(store.get(clusterStats, 'late')!.interval(upstreamRqTime).count, 1);
  t.end();
});

t.test('a quiet histogram is not read again and again', (t) => {
  const memory = new SlotMemory(() => {});
  const block = new StatBlock(memory, clusterStats, ['a']);
  let looks = 0;
  const counted = {
    get chunks() {
      looks++;
      return memory.chunks;
    },
  };
  const group = new StatGroup(clusterStats.scope, ['a']);
  group.add({ memory: counted, address: block.address });
  for (let power = 0; power < 20; power++) block.record(upstreamRqTime, 2 ** power);
  const looksOf = () => {
    looks = 0;
    group.flush();
    return looks;
  };
  const [changed, unchanged, quiet] = [looksOf(), looksOf(), looksOf()];
  t.ok(unchanged > 20, 'once more, for what was written meanwhile');
  t.ok(quiet + 20 < changed, `${quiet} looks for ${changed}`);
  block.record(upstreamRqTime, 3);
  t.ok(looksOf() > 20);
  t.equal(group.interval(upstreamRqTime).count, 1);
  t.end();
});

t.test('a group lives, and its counters do not fall, until the last worker released it', (t) => {
  const { store, workers, first, second } = fixture();
  first.inc(upstreamRqTotal);
  second.inc(upstreamRqTotal);
  const seen: string[] = [];
  store.observe({
    onGone: (group) => seen.push(`${group.names} with ${group.value(upstreamRqTotal)}`),
    onReset: () => seen.push('reset'),
  });
  workers[0]!.release(first);
  t.equal(store.get(clusterStats, 'a')!.value(upstreamRqTotal), 2);
  second.inc(upstreamRqTotal);
  workers[1]!.release(second);
  store.resetCounters();
  t.strictSame(seen, ['a with 3', 'reset']);
  t.equal(store.get(clusterStats, 'a'), undefined);
  t.end();
});

t.test('a store that rejects all shows nothing and still answers for a name', (t) => {
  const store = new StatsStore(() => false);
  const worker = new WorkerStats((message) => store.accept(0, message));
  worker.block(clusterStats, 'a').inc(upstreamRqTotal);
  store.setText('text', 'value', identifierPlace);
  t.equal([...statsText(store, everyStat)].join(''), '');
  t.equal([...prometheusText(store, everyStat, [])].join(''), '');
  t.equal(store.texts().size, 0);
  t.equal(store.get(clusterStats, 'a')!.value(upstreamRqTotal), 1);
  t.end();
});

t.test('numbers of a real worker thread arrive without a message for each', async (t) => {
  const modules = new URL('../../../proxy/telemetry/', import.meta.url);
  const worker = new Worker(
    `
      import { parentPort } from 'node:worker_threads';
      const { WorkerStats } = await import('${modules}worker-stats.ts');
      const { clusterStats } = await import('${modules}cluster-stats.ts');
      const stats = new WorkerStats((message) => parentPort.postMessage(message));
      const block = stats.block(clusterStats, 'a');
      for (let count = 0; count < 1000; count++) {
        block.inc(clusterStats.upstreamRqTotal);
        block.record(clusterStats.upstreamRqTime, count);
        block.incCode(clusterStats.upstreamRqCode, 200 + (count & 1));
      }
    `,
    { eval: true, execArgv: ['--input-type=module'] },
  );
  const store = new StatsStore();
  let messages = 0;
  worker.on('message', (message) => {
    messages++;
    store.accept(0, message);
  });
  await once(worker, 'exit');
  const group = store.get(clusterStats, 'a')!;
  t.equal(group.value(upstreamRqTotal), 1000);
  t.equal(group.histogram(upstreamRqTime).count, 1000);
  t.strictSame(
    [...group.codes(upstreamRqCode)],
    [
      [200, 500],
      [201, 500],
    ],
  );
  t.equal(messages, 3);
});
