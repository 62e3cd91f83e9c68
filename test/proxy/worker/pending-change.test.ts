import t from 'tap';
import { emptySnapshot, type SnapshotChange } from '../../../config/snapshot.ts';
import { PendingChange, PendingMap } from '../../../proxy/worker/pending-change.ts';
import { makeAssignment, makeCluster } from '../../support/cluster-fixtures.ts';

const nothing = { set: [], removed: [] };
const noChange: SnapshotChange = {
  listeners: nothing,
  clusters: nothing,
  assignments: nothing,
  routes: nothing,
  secrets: nothing,
};
const assignment = makeAssignment([]);

t.test('the last word about a name counts', (t) => {
  const map = new PendingMap<object>();
  t.ok(map.isEmpty);
  const [first, second] = [{}, {}];
  map.add({ set: [['a', first]], removed: ['b'] });
  map.add({ set: [['b', second]], removed: ['a'] });
  t.same([map.get('a'), map.get('b'), map.get('c')], [null, second, undefined]);
  t.same(map.toDelta(), { set: [['b', second]], removed: ['a'] });
  map.forget('a');
  t.same(map.toDelta(), { set: [['b', second]], removed: [] });
  t.end();
});

t.test('maps are copied when they change, and only then', (t) => {
  const change = new PendingChange();
  t.ok(change.isEmpty);
  const cluster = makeCluster({ name: 'a' });
  const before = {
    ...emptySnapshot,
    clusters: new Map([['old', cluster]]),
    assignments: new Map([['old', assignment]]),
  };
  change.add({ ...noChange, clusters: { set: [['a', cluster]], removed: ['old'] } });
  t.notOk(change.isEmpty);
  const after = change.applyTo(before, 7);
  t.equal(after.generation, 7);
  t.same([...after.clusters.keys()], ['a']);
  t.same([...after.assignments], [], 'members leave with their cluster');
  t.equal(after.routes, before.routes);
  t.equal(after.runtime, before.runtime);
  t.same([...before.clusters.keys()], ['old']);
  t.end();
});

t.test('a change is told as it was gathered, runtime values only when there are new ones', (t) => {
  const change = new PendingChange();
  t.notOk('runtime' in change.toDelta(1));
  const runtime = new Map([['a', 1]]);
  change.add({ ...noChange, runtime, assignments: { set: [['a', assignment]], removed: [] } });
  change.add(noChange);
  t.same(change.toDelta(2), {
    ...noChange,
    generation: 2,
    assignments: { set: [['a', assignment]], removed: [] },
    runtime,
  });
  t.end();
});
