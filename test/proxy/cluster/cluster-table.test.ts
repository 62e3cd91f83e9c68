import t from 'tap';
import type { ClusterTable } from '../../../proxy/cluster/cluster-table.ts';
import { ClusterPack } from '../../../proxy/cluster/packed-clusters.ts';
import { makeCluster, makeContext } from '../../support/cluster-fixtures.ts';
import { makeClusterTable, membersAt, takeInAll } from '../../support/cluster-table-fixtures.ts';
import { packedClusters } from '../../support/packed-clusters.ts';

t.test('finds clusters by name, with the members that were assigned', (t) => {
  const { table, apply } = makeClusterTable();
  apply({ clusters: [makeCluster({ name: 'fruit' })], assignments: [['fruit', membersAt('10.0.0.1')]] });
  t.equal(table.get('bread'), null);
  t.equal(table.has('fruit'), true);
  const fruit = table.get('fruit');
  t.equal(fruit, table.get('fruit'));
  t.match(fruit!.chooseEndpoint(makeContext()), { key: '10.0.0.1:80' });
  t.end();
});

t.test('nothing is made of clusters that nobody asks for', (t) => {
  const { table, apply, used } = makeClusterTable();
  apply({ clusters: Array.from({ length: 100 }, (_, i) => makeCluster({ name: `c${i}` })) });
  t.equal(table.size, 100);
  t.same(used, []);
  table.get('c5');
  table.get('c5');
  table.get('unknown');
  t.same(used, ['c5'], 'told once');
  t.same(
    [...table.inUse()].map((cluster) => cluster.name),
    ['c5'],
  );
  t.end();
});

t.test('what was prepared is served with the next delta, all of it at once', (t) => {
  const { table, apply } = makeClusterTable();
  const fruit = (connectTimeoutMs: number) => makeCluster({ name: 'fruit', connectTimeoutMs });
  apply({ clusters: [fruit(1), makeCluster({ name: 'idle' })], assignments: [['fruit', membersAt('10.0.0.1')]] });
  const inUse = table.get('fruit')!;
  table.prepare(
    new ClusterPack(packedClusters([fruit(2), makeCluster({ name: 'bread' })], [['fruit', membersAt('10.0.0.2')]])),
  );
  table.prepare(
    new ClusterPack(
      packedClusters([makeCluster({ name: 'idle', connectTimeoutMs: 3 })], [['bread', membersAt('10.0.1.1')]]),
    ),
  );
  t.equal(inUse.config.connectTimeoutMs, 1);
  t.match(inUse.chooseEndpoint(makeContext()), { key: '10.0.0.1:80' });
  t.equal(table.has('bread'), false);
  t.equal(table.get('bread'), null);
  t.equal(table.size, 2);
  const usedMeanwhile = table.get('idle')!;
  apply({});
  t.equal(table.get('fruit'), inUse);
  t.equal(inUse.config.connectTimeoutMs, 2);
  t.match(inUse.chooseEndpoint(makeContext()), { key: '10.0.0.2:80' });
  t.equal(table.get('idle'), usedMeanwhile);
  t.equal(usedMeanwhile.config.connectTimeoutMs, 3);
  t.match(table.get('bread')!.chooseEndpoint(makeContext()), { key: '10.0.1.1:80' });
  t.equal(table.size, 3);
  apply({ clusters: [fruit(4)] });
  t.equal(inUse.config.connectTimeoutMs, 4, 'and not again with the one after it');
  t.end();
});

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

t.test('all of a large change is found from the moment on at which it is served', (t) => {
  const { table, apply } = makeClusterTable();
  const names = manyNames.slice(0, 2000);
  prepareMany(table, names, 1, '10.0.0.1');
  apply({});
  t.equal(table.size, 2000);
  t.ok(names.every((name) => table.has(name)));
  const at = (name: string) => {
    const cluster = table.get(name)!;
    return [cluster.config.connectTimeoutMs, cluster.chooseEndpoint(makeContext())!.key];
  };
  t.same([at('c7'), at('c1999')], Array(2).fill([1, '10.0.0.1:80']));
  takeInAll(table);
  prepareMany(table, names, 2, '10.0.0.2');
  t.same([at('c7'), at('c8')], Array(2).fill([1, '10.0.0.1:80']));
  apply({});
  t.same(['c7', 'c8', 'c9', 'c1999'].map(at), Array(4).fill([2, '10.0.0.2:80']));
  takeInAll(table);
  t.same(['c7', 'c8', 'c9', 'c1999'].map(at), Array(4).fill([2, '10.0.0.2:80']));
  t.end();
});

t.test('of a cluster that a request holds, members and configuration change together', (t) => {
  const { table, apply } = makeClusterTable();
  const names = manyNames.slice(0, 64);
  prepareMany(table, names, 1, '10.0.0.1');
  apply({});
  takeInAll(table);
  const held = names.map((name) => table.get(name)!);
  prepareMany(table, names, 2, '10.0.0.2');
  apply({});
  const seen = new Set<string>();
  do {
    for (const cluster of held)
      seen.add(`${cluster.config.connectTimeoutMs} ${cluster.chooseEndpoint(makeContext())!.key}`);
  } while (table.takeIn());
  t.same([...seen].sort(), ['1 10.0.0.1:80', '2 10.0.0.2:80']);
  t.end();
});

t.test('a cluster that is told its members itself from now on is never without', (t) => {
  const { table, apply } = makeClusterTable();
  const names = manyNames.slice(0, 64);
  prepareMany(table, names, 1, '10.0.0.1');
  apply({});
  takeInAll(table);
  const held = table.get('c63')!;
  t.equal(held.chooseEndpoint(makeContext())!.key, '10.0.0.1:80');
  const discovery = { kind: 'static', assignment: membersAt('10.0.0.2') } as const;
  table.prepare(
    new ClusterPack(
      packedClusters(
        names.map((name) => makeCluster({ name, discovery })),
        [],
      ),
    ),
  );
  apply({ unassigned: names });
  t.equal(held.chooseEndpoint(makeContext())!.key, '10.0.0.2:80');
  t.equal(takeInAll(table), 1);
  t.end();
});

t.test('what comes behind a large change counts, taken in or not', (t) => {
  for (const isTakenIn of [false, true]) {
    const { table, apply } = makeClusterTable();
    const names = manyNames.slice(0, 64);
    apply({ clusters: [makeCluster({ name: 'c0' })], assignments: [['c0', membersAt('10.0.0.9')]] });
    const inUse = table.get('c0')!;
    const gone = table.get('c0')!.chooseEndpoint(makeContext())!;
    prepareMany(table, names, 1, '10.0.0.1');
    apply({});
    if (isTakenIn) takeInAll(table);
    prepareMany(table, names.slice(32), 2, '10.0.0.2');
    apply({
      clusters: [makeCluster({ name: 'c0', connectTimeoutMs: 3 })],
      removed: ['c1'],
      assignments: [['c0', membersAt('10.0.0.3')]],
      unassigned: ['c2'],
    });
    t.equal(inUse.config.connectTimeoutMs, 3);
    t.equal(gone.isRemoved, true);
    takeInAll(table);
    t.equal(table.get('c0'), inUse);
    t.same(
      [inUse.config.connectTimeoutMs, inUse.chooseEndpoint(makeContext())!.key, table.has('c1'), table.get('c1')],
      [3, '10.0.0.3:80', false, null],
    );
    t.equal(table.get('c2')!.chooseEndpoint(makeContext()), null);
    t.same([table.get('c3')!.config.connectTimeoutMs, table.get('c40')!.config.connectTimeoutMs], [1, 2]);
    t.equal(table.size, 63);
    t.notOk(inUse.isRemoved);
  }
  t.end();
});

t.test('packs of which few names are left do not pile up', (t) => {
  const { table, apply } = makeClusterTable();
  const fillers = Array.from({ length: 31 }, (_, index) => `filler${index}`);
  const packs: ClusterPack[] = [];
  for (let round = 0; round < 300; round++) {
    const clusters = [`survivor${round}`, ...fillers].map((name) => makeCluster({ name, connectTimeoutMs: round + 1 }));
    const pack = new ClusterPack(packedClusters(clusters, []));
    packs.push(pack);
    table.prepare(pack);
    apply({});
    takeInAll(table);
  }
  t.equal(packs.filter((pack) => pack.isSparse).length, 1, 'that of the round before the last');
  for (let change = 0; change < 31; change++) apply({ clusters: [makeCluster({ name: fillers[change]! })] });
  table.cleanUp(0);
  t.equal(packs.filter((pack) => pack.isSparse).length, 0);
  t.equal(table.size, 331);
  t.same(
    [0, 150, 299].map((round) => table.get(`survivor${round}`)!.config.connectTimeoutMs),
    [1, 151, 300],
  );
  t.end();
});

t.test('single changes of 10,000 clusters leave one value in four of each pack at least, or no pack', (t) => {
  const { table, apply } = makeClusterTable();
  const names = manyNames;
  const packs: ClusterPack[] = [];
  for (let from = 0; from < names.length; from += 32) {
    const clusters = names.slice(from, from + 32).map((name) => makeCluster({ name }));
    const pack = new ClusterPack(packedClusters(clusters, []));
    packs.push(pack);
    table.prepare(pack);
  }
  apply({});
  let most = 0;
  // All but the first of each pack, pack after pack in turn: they become sparse together.
  for (let place = 1; place < 32; place++) {
    for (let index = place; index < names.length; index += 32) {
      apply({ clusters: [makeCluster({ name: names[index]!, connectTimeoutMs: 7 })] });
    }
    most = Math.max(most, packs.filter((pack) => pack.isSparse).length);
  }
  t.ok(most <= 1, `at most one waits to be dissolved, found ${most}`);
  t.equal(table.size, names.length);
  t.same([table.get('c32')!.config.connectTimeoutMs === 7, table.get('c33')!.config.connectTimeoutMs], [false, 7]);
  t.end();
});

t.test('a delta changes what it names and nothing else', (t) => {
  const { table, apply } = makeClusterTable();
  apply({
    clusters: [makeCluster({ name: 'fruit' }), makeCluster({ name: 'bread' })],
    assignments: [
      ['fruit', membersAt('10.0.0.1')],
      ['bread', membersAt('10.0.1.1')],
    ],
  });
  const fruit = table.get('fruit')!;
  const bread = table.get('bread')!;
  const endpoint = bread.chooseEndpoint(makeContext());
  apply({
    clusters: [makeCluster({ name: 'fruit', connectTimeoutMs: 7 })],
    assignments: [['fruit', membersAt('10.0.0.2')]],
  });
  t.equal(table.get('fruit'), fruit);
  t.equal(fruit.config.connectTimeoutMs, 7);
  t.match(fruit.chooseEndpoint(makeContext()), { key: '10.0.0.2:80' });
  t.equal(bread.chooseEndpoint(makeContext()), endpoint);
  apply({ unassigned: ['fruit'] });
  t.equal(fruit.chooseEndpoint(makeContext()), null);
  t.end();
});

t.test('a removed cluster knows it, and one of the same name later is another', (t) => {
  const { table, apply } = makeClusterTable();
  apply({
    clusters: [makeCluster({ name: 'fruit' }), makeCluster({ name: 'unused' })],
    assignments: [['fruit', membersAt('10.0.0.1')]],
  });
  const before = table.get('fruit')!;
  const endpoint = before.chooseEndpoint(makeContext())!;
  apply({ removed: ['fruit', 'unused', 'never heard of'] });
  takeInAll(table);
  t.ok(before.isRemoved);
  t.equal(endpoint.isRemoved, true);
  t.equal(table.get('fruit'), null);
  apply({ clusters: [makeCluster({ name: 'fruit' })] });
  t.not(table.get('fruit'), before);
  t.equal(table.get('fruit')!.chooseEndpoint(makeContext()), null, 'old members are forgotten');
  t.end();
});

t.test('another stat name makes another cluster with the same members', (t) => {
  const { table, apply } = makeClusterTable();
  apply({ clusters: [makeCluster({ name: 'fruit' })], assignments: [['fruit', membersAt('10.0.0.1')]] });
  const before = table.get('fruit')!;
  apply({ clusters: [makeCluster({ name: 'fruit', statName: 'apples' })] });
  t.ok(before.isRemoved);
  t.match(table.get('fruit')!.chooseEndpoint(makeContext()), { key: '10.0.0.1:80' });
  t.end();
});

t.test('a cluster with HTTP/2 is not for requests', (t) => {
  const { table, apply } = makeClusterTable();
  const http1 = makeCluster({ name: 'a' });
  const http2 = { ...http1, upstreamHttp: { ...http1.upstreamHttp, protocol: 'http2' as const } };
  apply({ clusters: [http2] });
  t.equal(table.get('a'), null);
  t.ok(table.has('a'));
  apply({ clusters: [http1] });
  const cluster = table.get('a');
  t.equal(cluster?.name, 'a');
  apply({ clusters: [http2] });
  t.ok(cluster?.isRemoved, 'nor is it when requests were sent to it before');
  t.equal(table.get('a'), null);
  t.end();
});

t.test('counters of a removed cluster stay until its last request ends', (t) => {
  const { table, apply, statsSource } = makeClusterTable();
  apply({ clusters: [makeCluster({ name: 'fruit' })] });
  const fruit = table.get('fruit')!;
  fruit.stats.inc(0);
  fruit.breakers.default.tryAcquireRequest();
  apply({ removed: ['fruit'] });
  takeInAll(table);
  table.cleanUp(1000);
  t.equal(statsSource.blocksInUse(), 6);
  fruit.breakers.default.releaseRequest();
  table.cleanUp(2000);
  t.equal(statsSource.blocksInUse(), 0);
  t.end();
});

t.test('with slow start members are told apart by when they joined, though no request has come', (t) => {
  const loadBalancer = {
    policy: {
      kind: 'round-robin',
      slowStart: { windowMs: 10_000, aggression: 1, minWeightPercent: 10 },
    },
    localityWeighted: false,
    healthyPanicThresholdPercent: 50,
  } as const;
  const clusters = [makeCluster({ name: 'fruit', loadBalancer }), makeCluster({ name: 'bread' })];
  const members = ['fruit', 'bread'].map((name) => [name, membersAt('10.0.0.1')] as const);
  for (const isPacked of [false, true]) {
    const { table, apply, time } = makeClusterTable();
    if (isPacked) table.prepare(new ClusterPack(packedClusters(clusters, members)));
    apply(isPacked ? {} : { clusters, assignments: members });
    takeInAll(table);
    t.same(
      [...table.inUse()].map(({ name }) => name),
      ['fruit'],
      'nothing is made of the other',
    );
    time.nowMs = 20_000;
    const later = [['fruit', membersAt('10.0.0.1', '10.0.0.2')] as const];
    if (isPacked) table.prepare(new ClusterPack(packedClusters([], later)));
    apply(isPacked ? {} : { assignments: later });
    const context = makeContext();
    const keys = Array.from({ length: 110 }, () => table.get('fruit')!.chooseEndpoint(context)!.key);
    t.equal(keys.filter((key) => key === '10.0.0.2:80').length, 10);
  }
  t.end();
});
