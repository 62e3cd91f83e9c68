// What a turn of a worker does of a large change, and what is seen of it before all is done.

import t from 'tap';
import type { ClusterTable } from '../../../proxy/cluster/cluster-table.ts';
import { ClusterPack } from '../../../proxy/cluster/packed-clusters.ts';
import { makeCluster, makeContext } from '../../support/cluster-fixtures.ts';
import { makeClusterTable, membersAt, takeInAll } from '../../support/cluster-table-fixtures.ts';
import { packedClusters } from '../../support/packed-clusters.ts';

/** In packs of 32, as clusters with this time-out and members at this address. */
function prepareMany(table: ClusterTable, names: readonly string[], connectTimeoutMs: number, ip: string): void {
  for (let from = 0; from < names.length; from += 32) {
    const some = names.slice(from, from + 32);
    const clusters = some.map((name) => makeCluster({ name, connectTimeoutMs }));
    const assignments = some.map((name) => [name, membersAt(ip)] as const);
    table.prepare(new ClusterPack(packedClusters(clusters, assignments)));
  }
}

const manyNames = Array.from({ length: 10_000 }, (_, index) => `c${index}`);

t.test('a turn takes in little of a large change: eight clusters that are in use, or 256 that are not', (t) => {
  const { table, apply } = makeClusterTable();
  prepareMany(table, manyNames, 1, '10.0.0.1');
  apply({});
  takeInAll(table);
  const used = manyNames.filter((_, index) => index % 20 === 0).map((name) => table.get(name)!);
  const endpoints = used.map((cluster) => cluster.chooseEndpoint(makeContext())!);
  prepareMany(table, manyNames, 2, '10.0.0.2');
  const changed = () =>
    used.filter(({ config }) => config.connectTimeoutMs === 2).length +
    endpoints.filter(({ isRemoved }) => isRemoved).length;
  apply({});
  t.equal(changed(), 0, 'nothing in the turn that serves it');
  const inTurns: number[] = [];
  for (let before = 0, hasMore = true; hasMore; before = changed()) {
    hasMore = table.takeIn();
    inTurns.push(changed() - before);
  }
  t.ok(Math.max(...inTurns) <= 8);
  t.equal(changed(), 2 * used.length);
  t.ok(inTurns.length > 100 && inTurns.length < 250, `in ${inTurns.length} turns`);
  t.equal(table.takeIn(), false);
  t.end();
});

t.test('of thousands of removed clusters none is found any more, and a turn lets go of eight in use', (t) => {
  const { table, apply } = makeClusterTable();
  prepareMany(table, manyNames, 1, '10.0.0.1');
  apply({});
  takeInAll(table);
  const used = manyNames.filter((_, index) => index % 20 === 0).map((name) => table.get(name)!);
  const endpoints = used.map((cluster) => cluster.chooseEndpoint(makeContext())!);
  const kept = 'c9999';
  apply({ removed: manyNames.slice(0, -1), unassigned: manyNames.slice(0, -1) });
  t.equal(table.size, 1);
  t.same(
    manyNames.filter((name) => table.has(name)),
    [kept],
  );
  t.equal(table.get('c0'), null);
  t.same([...table.inUse()], []);
  t.ok(used.every((cluster) => cluster.isRemoved && cluster.chooseEndpoint(makeContext()) === null));
  t.notOk(endpoints.some(({ isRemoved }) => isRemoved));
  const inTurns: number[] = [];
  const letGo = () => endpoints.filter(({ isRemoved }) => isRemoved).length;
  for (let before = 0, hasMore = true; hasMore; before = letGo()) {
    hasMore = table.takeIn();
    inTurns.push(letGo() - before);
  }
  t.equal(Math.max(...inTurns), 8);
  t.ok(inTurns.length > 100 && inTurns.length < 250, `in ${inTurns.length} turns`);
  t.equal(letGo(), used.length);
  t.match(table.get(kept)!.chooseEndpoint(makeContext()), { key: '10.0.0.1:80' });
  t.end();
});

t.test('a name that comes back before it was let go has nothing of before', (t) => {
  for (const isPacked of [false, true]) {
    const { table, apply } = makeClusterTable();
    const names = manyNames.slice(0, 600);
    prepareMany(table, names, 1, '10.0.0.1');
    apply({});
    takeInAll(table);
    const before = table.get('c599')!;
    apply({ removed: names });
    if (isPacked) table.prepare(new ClusterPack(packedClusters([makeCluster({ name: 'c599' })], [])));
    apply(isPacked ? {} : { clusters: [makeCluster({ name: 'c599' })] });
    for (const isTakenIn of [false, true]) {
      if (isTakenIn) takeInAll(table);
      t.equal(table.size, 1);
      t.not(table.get('c599'), before);
      t.equal(table.get('c599')!.chooseEndpoint(makeContext()), null);
    }
    t.ok(before.isRemoved);
  }
  t.end();
});

t.test('a turn gives the counters of 64 removed clusters back', (t) => {
  const { table, apply, statsSource } = makeClusterTable();
  const names = manyNames.slice(0, 150);
  apply({ clusters: names.map((name) => makeCluster({ name })) });
  for (const name of names) table.get(name)!.stats.inc(0);
  apply({ removed: names });
  takeInAll(table);
  const left = [0, 1, 2].map((turn) => {
    table.cleanUp(turn);
    return statsSource.blocksInUse() / 6;
  });
  t.same(left, [86, 22, 0]);
  t.end();
});

t.test('thousands of clusters with slow start are made eight a turn', (t) => {
  const { table, apply } = makeClusterTable();
  const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };
  const loadBalancer = { ...makeCluster().loadBalancer, policy: { kind: 'round-robin', slowStart } } as const;
  for (let from = 0; from < 2048; from += 32) {
    const some = manyNames.slice(from, from + 32);
    const clusters = some.map((name) => makeCluster({ name, loadBalancer }));
    const members = some.map((name) => [name, membersAt('10.0.0.1')] as const);
    table.prepare(new ClusterPack(packedClusters(clusters, members)));
  }
  const made = () => [...table.inUse()].length;
  apply({});
  t.equal(made(), 0);
  let most = 0;
  for (let before = 0, hasMore = true; hasMore; before = made()) {
    hasMore = table.takeIn();
    most = Math.max(most, made() - before);
  }
  t.same([most, made()], [8, 2048]);
  t.end();
});
