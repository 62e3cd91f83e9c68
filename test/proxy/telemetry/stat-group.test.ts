import t from 'tap';
import { circuitBreakerStats, clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { chunkSlots, SlotMemory } from '../../../proxy/telemetry/slot-memory.ts';
import { StatGroup } from '../../../proxy/telemetry/stat-group.ts';
import { StatBlock } from '../../../proxy/telemetry/stats.ts';

const { upstreamRqTotal, upstreamRqCode, upstreamRqTime, upstreamCxActive } = clusterStats;

t.test('chunks that are not announced yet read as nothing, and are read when they are', (t) => {
  const memory = new SlotMemory(() => {});
  const block = new StatBlock(memory, clusterStats, ['a']);
  memory.allocate(chunkSlots - clusterStats.scope.stats.length - 1);
  block.inc(upstreamRqTotal);
  block.incCode(upstreamRqCode, 200);
  block.record(upstreamRqTime, 7);
  const known = { chunks: memory.chunks.slice(0, 1) };
  const group = new StatGroup(clusterStats.scope, ['a']);
  group.add({ memory: known, address: block.address });
  t.equal(group.value(upstreamRqTotal), 1);
  t.equal(group.codes(upstreamRqCode).size, 0);
  t.equal(group.histogram(upstreamRqTime).count, 0);
  known.chunks.push(...memory.chunks.slice(1));
  t.equal(group.codes(upstreamRqCode).get(200), 1);
  t.equal(group.histogram(upstreamRqTime).count, 1);
  t.end();
});

t.test('what a block has counted since a reset stays when it is removed, until the last is', (t) => {
  const memory = new SlotMemory(() => {});
  const group = new StatGroup(clusterStats.scope, ['a']);
  const [left, right] = [0, 1].map(() => new StatBlock(memory, clusterStats, ['a']));
  for (const block of [left!, right!]) {
    group.add({ memory, address: block.address });
    block.add(upstreamRqTotal, 5);
    block.inc(upstreamCxActive);
  }
  group.resetCounters();
  left!.inc(upstreamRqTotal);
  left!.incCode(upstreamRqCode, 503);
  left!.record(upstreamRqTime, 4);
  right!.add(upstreamRqTotal, 2);
  t.equal(group.value(upstreamRqTotal), 3);
  group.remove(memory, left!.address);
  t.equal(group.value(upstreamRqTotal), 3);
  t.equal(group.codes(upstreamRqCode).get(503), 1);
  t.equal(group.histogram(upstreamRqTime).sum, 4);
  t.ok(group.isUsed(upstreamRqTime));
  t.equal(group.value(upstreamCxActive), 1, 'a gauge is of what is there');
  t.notOk(group.isGone);
  group.resetCounters();
  t.equal(group.value(upstreamRqTotal), 0);
  t.equal(group.codes(upstreamRqCode).get(503), 0);
  t.equal(group.histogram(upstreamRqTime).count, 1);
  right!.inc(upstreamRqTotal);
  group.remove(memory, right!.address);
  t.ok(group.isGone);
  t.equal(group.value(upstreamRqTotal), 1, 'to be read once more');
  t.end();
});

t.test('what is left to a circuit breaker is shown where it is tracked only', (t) => {
  const set = circuitBreakerStats.default;
  const memory = new SlotMemory(() => {});
  const block = new StatBlock(memory, set, ['a']);
  const group = new StatGroup(set.scope, ['a']);
  group.add({ memory, address: block.address });
  t.same([group.isShown(set.cxOpen), group.isShown(set.remainingCx)], [true, false]);
  block.set(set.remainingCx, 0);
  t.ok(group.isShown(set.remainingCx));
  block.set(set.rqActive, 7);
  t.notOk(group.isShown(set.rqActive), 'what one reader of ours needs is shown to no other');
  t.equal(group.value(set.rqActive), 7);
  const hidden = new StatGroup(set.scope, ['a'], (_, name) => !name.endsWith('remaining_cx'));
  hidden.add({ memory, address: block.address });
  t.same([hidden.isShown(set.cxOpen), hidden.isShown(set.remainingCx)], [true, false]);
  t.end();
});
