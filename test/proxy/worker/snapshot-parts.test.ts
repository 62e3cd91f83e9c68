import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import { ClusterPack } from '../../../proxy/cluster/packed-clusters.ts';
import { splitDelta } from '../../../proxy/worker/snapshot-parts.ts';
import { clusterOf } from '../../support/data-plane.ts';

const nothing: LoadAssignment = { localities: [], overprovisioningFactorPercent: 140 };

function deltaOf(clusterCount: number, assignmentCount: number) {
  const clusters = Array.from({ length: clusterCount }, (_, at): [string, Cluster] => [
    `c${at}`,
    clusterOf(`c${at}`, []),
  ]);
  const assignments = Array.from({ length: assignmentCount }, (_, at): [string, LoadAssignment] => [`c${at}`, nothing]);
  return {
    generation: 7,
    clusters: { set: clusters, removed: ['old'] },
    assignments: { set: assignments, removed: ['gone'] },
  };
}

t.test('a small delta goes as it is', async (t) => {
  const delta = deltaOf(32, 3);
  const { parts, rest } = splitDelta(delta, new Set());
  t.same([...parts], []);
  t.equal(rest, delta);
});

t.test('parts are small, and together with the rest they are the delta', async (t) => {
  for (const [clusters, assignments] of [
    [33, 0],
    [0, 100],
    [55, 99],
  ] as const) {
    const delta = deltaOf(clusters, assignments);
    const { parts: made, rest } = splitDelta(delta, new Set());
    const parts = [...made];
    for (const part of parts) t.ok(part.clusters.length <= 32 && part.assignments.length <= 32);
    t.same(rest, {
      generation: 7,
      clusters: { set: [], removed: ['old'] },
      assignments: { set: [], removed: ['gone'] },
    });
    const packs = parts.map((part) => new ClusterPack(part));
    t.same(
      packs.flatMap((pack) => pack.clusters.map((name, index) => [name, pack.cluster(index).value()])),
      delta.clusters.set,
    );
    t.same(
      packs.flatMap((pack) => pack.assignments.map((name, index) => [name, pack.assignment(index).value()])),
      delta.assignments.set,
    );
  }
});

t.test('a part names its clusters with slow start', async (t) => {
  const delta = deltaOf(40, 0);
  const [name, cluster] = delta.clusters.set[35]!;
  const policy = {
    kind: 'least-request',
    choiceCount: 2,
    activeRequestBias: 1,
    slowStart: { windowMs: 1, aggression: 1, minWeightPercent: 10 },
  } as const;
  delta.clusters.set[35] = [name, { ...cluster, loadBalancer: { ...cluster.loadBalancer, policy } }];
  t.same(
    [...splitDelta(delta, new Set()).parts].map((part) => new ClusterPack(part).warming),
    [[], ['c35']],
  );
});

t.test('clusters in use come together in the first parts, with their members, and the rest in its order', async (t) => {
  const delta = deltaOf(100, 70);
  const parts = [...splitDelta(delta, new Set(['c98', 'c3', 'c60', 'gone'])).parts];
  t.same(parts[0]!.clusters.slice(0, 5), ['c3', 'c60', 'c98', 'c0', 'c1']);
  t.same(parts[0]!.assignments.slice(0, 4), ['c3', 'c60', 'c0', 'c1']);
  const names = parts.flatMap((part) => [...part.clusters]);
  t.same(
    names.slice(3),
    delta.clusters.set.map(([name]) => name).filter((name) => !names.slice(0, 3).includes(name)),
  );
});

t.test('a small delta is not sorted', async (t) => {
  const delta = deltaOf(3, 0);
  t.equal(splitDelta(delta, new Set(['c2'])).rest, delta);
});
