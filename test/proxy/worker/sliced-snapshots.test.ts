// However long each step of handing a delta out takes: what is served is the same in the end, in generations that follow each
// other, and nobody waits who may not.

import { deepEqual } from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { SnapshotChange, SnapshotDelta } from '../../../config/snapshot.ts';
import { assignmentOf, changeOf, dnsCluster, plainCluster, servingPublisher } from '../../support/publisher-bench.ts';

t.test('a large delta is handed out a few milliseconds a turn, and what comes meanwhile is the next', (t) => {
  const { publisher, begun, published, snapshots, nextTurn } = servingPublisher([2, 2, 2, 2]);
  const told = snapshots.length;
  publisher.update(changeOf({ clusters: [plainCluster('a')] }));
  publisher.flush();
  t.same([begun, published()], [['cluster a'], []]);
  publisher.update(changeOf({ clusters: [plainCluster('b')] }));
  publisher.flush();
  publisher.update(changeOf({ routes: ['r'] }));
  t.same([begun, snapshots.length], [['cluster a'], told]);
  nextTurn();
  nextTurn();
  t.same([published(), begun], [['cluster a'], ['cluster b, routes r']]);
  t.same([...snapshots.at(-1)!.clusters.keys()], ['plain', 'a'], 'a snapshot has what was handed out');
  nextTurn();
  nextTurn();
  t.same([published(1), begun], [['cluster b, routes r'], []]);
  t.end();
});

t.test('runtime values do not wait for what is being handed out, nor for what comes behind it', (t) => {
  const { publisher, deltas, published, nextTurn } = servingPublisher([9, 9, 9]);
  publisher.update(changeOf({ clusters: [plainCluster('a')] }));
  publisher.flush();
  publisher.update(changeOf({ clusters: [plainCluster('b')] }));
  publisher.setRuntime(new Map([['key', 1]]));
  t.same(published(), ['cluster a', 'cluster b']);
  t.same(
    deltas.map(({ runtime }) => runtime?.get('key')),
    [undefined, 1],
  );
  for (let turn = 0; turn < 9; turn++) nextTurn();
  t.equal(deltas.length, 2, 'once');
  t.end();
});

t.test('a DNS cluster has its members while it is being handed out with them', (t) => {
  const { publisher, begun, published, nextTurn, settle } = servingPublisher([9, 9]);
  publisher.update(changeOf({ clusters: [dnsCluster('dns')] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(begun, ['cluster dns, members dns']);
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], routes: ['r'] }));
  settle();
  t.same(published(1), ['cluster dns, routes r'], 'nothing is kept back for it');
  t.end();
});

const names = ['a', 'b', 'c'];

type Step =
  | { readonly kind: 'change'; readonly dns: readonly string[]; readonly plain: readonly string[] }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'resolve'; readonly name: string }
  | { readonly kind: 'listener'; readonly name: string }
  | { readonly kind: 'runtime'; readonly value: number }
  | { readonly kind: 'turn' };

const subset = fc.uniqueArray(fc.constantFrom(...names));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(subset, subset).map(([dns, plain]): Step => ({ kind: 'change', dns, plain })),
  fc
    .tuple(fc.constantFrom('remove', 'resolve', 'listener'), fc.constantFrom(...names))
    .map(([kind, name]): Step => ({ kind, name }) as Step),
  fc.nat(9).map((value): Step => ({ kind: 'runtime', value })),
  fc.constant<Step>({ kind: 'turn' }),
);

const stepsMs = fc.array(fc.nat(4), { maxLength: 4 });

t.test('whatever comes in whatever order, the deltas add up to it, and DNS clusters come with their members', (t) => {
  const run = (steps: readonly Step[], stepsMs: readonly number[]) => {
    const { publisher, deltas, snapshots, resolving, nextTurn, settle } = servingPublisher(stepsMs);
    const wanted = new Map<string, Cluster>([['plain', plainCluster('plain')]]);
    let listeners: ReadonlySet<string> = new Set();
    const take = (change: SnapshotChange) => {
      for (const name of change.clusters.removed) wanted.delete(name);
      for (const [name, cluster] of change.clusters.set) wanted.set(name, cluster);
      listeners = new Set([...listeners, ...change.listeners.set.map(([name]) => name)]);
      publisher.update(change);
    };
    for (const each of steps) {
      if (each.kind === 'turn') nextTurn();
      else if (each.kind === 'runtime') {
        publisher.setRuntime(new Map([['key', each.value]]));
        deepEqual([...deltas.at(-1)!.runtime!], [['key', each.value]], 'under way at once');
      } else if (each.kind === 'resolve') publisher.setAssignment(each.name, assignmentOf('10.0.0.1'));
      else if (each.kind === 'remove') take(changeOf({ removedClusters: [each.name] }));
      else if (each.kind === 'listener') take(changeOf({ listeners: [each.name] }));
      else {
        const plain = each.plain.filter((name) => !each.dns.includes(name));
        take(
          changeOf({
            clusters: [...each.dns.map(dnsCluster), ...plain.map(plainCluster)],
            assignments: plain.map((name) => [name, assignmentOf('10.0.0.9')] as const),
          }),
        );
      }
    }
    for (const name of resolving.at(-1) ?? []) publisher.setAssignment(name, assignmentOf('10.0.0.2'));
    settle();
    const model = modelOf(deltas);
    const last = snapshots.at(-1)!;
    const sorted = (map: Iterable<string>) => [...map].sort();
    const isEqual = (one: Iterable<string>, other: Iterable<string>) => `${sorted(one)}` === `${sorted(other)}`;
    return (
      isEqual(
        ['plain', ...model.clusters].filter((name) => name !== 'plain' || wanted.has(name)),
        wanted.keys(),
      ) &&
      isEqual(last.clusters.keys(), wanted.keys()) &&
      [...wanted].every(([name, cluster]) => last.clusters.get(name)!.discovery.kind === cluster.discovery.kind) &&
      isEqual(model.listeners, listeners) &&
      model.alwaysHadMembers &&
      deltas.every(({ generation }, index) => generation === index + 2)
    );
  };
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), stepsMs, run), { seed: 4, numRuns: 1000 });
  t.pass();
  t.end();
});

/** What a worker knows after these deltas. */
function modelOf(deltas: readonly SnapshotDelta[]) {
  const clusters = new Map<string, Cluster>();
  const members = new Set<string>();
  const listeners = new Set<string>();
  let alwaysHadMembers = true;
  for (const delta of deltas) {
    for (const name of delta.assignments.removed) members.delete(name);
    for (const [name] of delta.assignments.set) members.add(name);
    for (const name of delta.clusters.removed) clusters.delete(name);
    for (const [name, cluster] of delta.clusters.set) clusters.set(name, cluster);
    for (const [name] of delta.listeners.set) listeners.add(name);
    for (const [name, { discovery }] of clusters) {
      if (discovery.kind === 'strict-dns' && !members.has(name)) alwaysHadMembers = false;
    }
  }
  return { clusters: clusters.keys(), listeners, alwaysHadMembers };
}
