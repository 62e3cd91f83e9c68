import fc from 'fast-check';
import t from 'tap';
import { ReferenceCounts } from '../../../xds/assembly/reference-counts.ts';
import { ChangingMap, SnapshotChanges } from '../../../xds/assembly/snapshot-changes.ts';
import { AssemblyBench, staticCluster } from '../../support/assembly-bench.ts';

t.test('what changed since the last time is told once', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', { a: staticCluster('a', 1) });
  const cluster = bench.snapshot.clusters.get('a')!;
  const changes = new SnapshotChanges();
  t.equal(changes.take(), undefined);
  changes.clusters.set('a', cluster);
  t.same(changes.take(), {
    listeners: { set: [], removed: [] },
    clusters: { set: [['a', cluster]], removed: [] },
    assignments: { set: [], removed: [] },
    routes: { set: [], removed: [] },
    secrets: { set: [], removed: [] },
  });
  t.equal(changes.take(), undefined);
  changes.clusters.set('a', cluster);
  t.equal(changes.take(), undefined, 'the same object is no change');
  t.same([...changes.clusters.served.keys()], ['a']);
});

t.test('what was handed over is not told of, nor removed', async (t) => {
  const map = new ChangingMap<object>();
  map.set('a', {});
  map.take();
  map.handOver('a');
  map.remove('a');
  t.same(map.take(), { set: [], removed: [] });
});

t.test('the changes one by one make what is served', async () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const step = fc.oneof(
    fc.tuple(fc.constant('set' as const), name, fc.nat(3)),
    fc.tuple(fc.constant('remove' as const), name, fc.constant(0)),
    fc.tuple(fc.constant('take' as const), name, fc.constant(0)),
  );
  const values = [{ value: 0 }, { value: 1 }, { value: 2 }, { value: 3 }];
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new ChangingMap<object>();
      const model = new Map<string, object>();
      const follow = () => {
        const { set, removed } = map.take();
        for (const each of removed) model.delete(each);
        for (const [each, value] of set) model.set(each, value);
      };
      for (const [kind, each, index] of steps) {
        if (kind === 'set') map.set(each, values[index]!);
        else if (kind === 'remove') map.remove(each);
        else follow();
      }
      follow();
      return model.size === map.served.size && [...model].every(([each, value]) => map.served.get(each) === value);
    }),
  );
});

t.test('a name is referred to until the last reference goes', async (t) => {
  const counts = new ReferenceCounts();
  counts.add(new Set(['a', 'b']));
  counts.add(new Set(['a']));
  counts.remove(new Set(['a', 'b']));
  t.same([counts.has('a'), counts.has('b')], [true, false]);
  counts.remove(new Set(['a']));
  t.notOk(counts.has('a'));
});
