import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import { emptySnapshot, type Snapshot, type SnapshotDelta } from '../../../config/snapshot.ts';
import { SnapshotPublisher } from '../../../proxy/worker/snapshot-publisher.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';

const assignmentOf = (ip: string): LoadAssignment => makeAssignment([makeLocality([makeEndpoint(ip)])]);

function dnsCluster(name: string): Cluster {
  const dns = {
    family: 'auto',
    refreshRateMs: 5000,
    respectTtl: false,
    failureRefreshBaseMs: 5000,
    failureRefreshMaxMs: 5000,
    jitterMs: 0,
    resolvers: [],
  } as const;
  return makeCluster({ name, discovery: { kind: 'strict-dns', assignment: makeAssignment([]), dns } });
}

function snapshotOf(...clusters: readonly Cluster[]): Snapshot {
  return { ...emptySnapshot, generation: 1, clusters: new Map(clusters.map((each) => [each.name, each])) };
}

/** A publisher whose clock and event loop the test turns. */
function make() {
  const deltas: SnapshotDelta[] = [];
  const snapshots: Snapshot[] = [];
  const late: string[][] = [];
  const deferred: (() => void)[] = [];
  let wait: { delayMs: number; callback: () => void } | null = null;
  const publisher = new SnapshotPublisher({
    publish: (delta) => deltas.push(delta),
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    onLate: (clusters) => late.push([...clusters]),
    maxWaitMs: 15_000,
    schedule: (delayMs, callback) => {
      wait = { delayMs, callback };
      return () => {
        wait = null;
      };
    },
    defer: (callback) => deferred.push(callback),
  });
  const nextTurn = () => {
    for (const callback of deferred.splice(0)) callback();
  };
  return { publisher, deltas, snapshots, late, nextTurn, wait: () => wait };
}

const assigned = (delta: SnapshotDelta | undefined) => delta?.assignments.set.map(([name]) => name);

t.test('a snapshot without DNS clusters is published whole, at once', (t) => {
  const { publisher, deltas, snapshots, wait } = make();
  publisher.start(snapshotOf(makeCluster({ name: 'static' })));
  t.equal(deltas.length, 1);
  t.equal(deltas[0]!.generation, 1);
  t.same(
    deltas[0]!.clusters.set.map(([name]) => name),
    ['static'],
  );
  t.equal(snapshots.at(-1)!.generation, 1);
  t.equal(wait(), null);
  t.end();
});

t.test('nothing is published before every DNS cluster was asked once', (t) => {
  const { publisher, deltas, snapshots, wait } = make();
  publisher.start(snapshotOf(dnsCluster('a'), dnsCluster('b')));
  t.equal(snapshots.length, 1, 'admin pages know the snapshot that waits');
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  t.equal(deltas.length, 0);
  publisher.setAssignment('b', assignmentOf('10.0.0.2'));
  t.same(assigned(deltas[0]), ['a', 'b']);
  t.equal(deltas[0]!.generation, 1);
  t.equal(wait(), null, 'the wait is over');
  t.end();
});

t.test('the wait is bounded, and says for whom it was', (t) => {
  const { publisher, deltas, late, wait, nextTurn } = make();
  publisher.start(snapshotOf(dnsCluster('a'), dnsCluster('silent')));
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  t.equal(wait()!.delayMs, 15_000);
  wait()!.callback();
  t.same(late, [['silent']]);
  t.same(assigned(deltas[0]), ['a'], 'what is known is published');
  publisher.setAssignment('silent', assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(assigned(deltas[1]), ['silent']);
  t.end();
});

t.test('later changes of one turn are one delta with the next generation', (t) => {
  const { publisher, deltas, snapshots, nextTurn } = make();
  publisher.start(snapshotOf(makeCluster({ name: 'static' })));
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  publisher.setAssignment('b', assignmentOf('10.0.0.2'));
  publisher.setAssignment('a', assignmentOf('10.0.0.3'));
  t.equal(deltas.length, 1);
  nextTurn();
  t.equal(deltas[1]!.generation, 2);
  t.same(deltas[1]!.assignments.set, [
    ['a', assignmentOf('10.0.0.3')],
    ['b', assignmentOf('10.0.0.2')],
  ]);
  t.same(deltas[1]!.clusters.set, [], 'only what changed');
  t.equal(deltas[1]!.runtime, undefined);
  t.same([...snapshots.at(-1)!.assignments.keys()], ['a', 'b']);
  publisher.setAssignment('b', assignmentOf('10.0.0.4'));
  nextTurn();
  t.equal(deltas[2]!.generation, 3);
  t.end();
});

t.test('members before the first snapshot are a mistake of the caller', (t) => {
  t.throws(() => make().publisher.setAssignment('a', assignmentOf('10.0.0.1')), /before the first snapshot/);
  t.end();
});
