import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import { ReceivedParts, splitDelta } from '../../../proxy/worker/snapshot-parts.ts';
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
  const delta = deltaOf(200, 3);
  const { parts, rest } = splitDelta(delta);
  t.same(parts, []);
  t.equal(rest, delta);
  t.equal(new ReceivedParts().complete(rest), rest);
});

t.test('parts are small, and together with the rest they are the delta', async (t) => {
  for (const [clusters, assignments] of [
    [201, 0],
    [0, 1000],
    [555, 999],
  ] as const) {
    const delta = deltaOf(clusters, assignments);
    const { parts, rest } = splitDelta(delta);
    for (const part of parts) t.ok(part.clusters.length <= 200 && part.assignments.length <= 200);
    t.same(rest.clusters, { set: [], removed: ['old'] });
    const received = new ReceivedParts();
    for (const part of parts) received.add(part);
    t.same(received.complete(rest), delta);
    t.equal(received.complete(rest), rest, 'parts belong to one delta');
  }
});
