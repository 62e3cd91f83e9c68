import fc from 'fast-check';
import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import type { Listener } from '../../../config/listener.ts';
import type { RouteConfiguration } from '../../../config/route.ts';
import type { Secret } from '../../../config/secret.ts';
import type { MapDelta, Snapshot, SnapshotChange, SnapshotDelta } from '../../../config/snapshot.ts';
import { SnapshotPublisher } from '../../../proxy/worker/snapshot-publisher.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { answering } from '../../support/listener-fixtures.ts';
import { routeConfiguration } from '../../support/route-fixtures.ts';

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

const plainCluster = (name: string): Cluster => makeCluster({ name });

interface Parts {
  readonly clusters?: readonly Cluster[];
  readonly listeners?: readonly string[];
  readonly routes?: readonly string[];
  readonly assignments?: readonly (readonly [string, LoadAssignment])[];
  readonly removedClusters?: readonly string[];
  readonly removedListeners?: readonly string[];
  readonly secrets?: readonly string[];
  readonly removedSecrets?: readonly string[];
}

function changeOf(parts: Parts): SnapshotChange {
  const { clusters = [], listeners = [], routes = [], assignments = [] } = parts;
  return {
    clusters: { set: clusters.map((each) => [each.name, each]), removed: parts.removedClusters ?? [] },
    listeners: {
      set: listeners.map((name): [string, Listener] => [name, answering(name, 'x')]),
      removed: parts.removedListeners ?? [],
    },
    routes: {
      set: routes.map((name): [string, RouteConfiguration] => [name, routeConfiguration({ name })]),
      removed: [],
    },
    assignments: { set: assignments, removed: [] },
    secrets: {
      set: (parts.secrets ?? []).map((name) => [name, secretOf(name)]),
      removed: parts.removedSecrets ?? [],
    },
  };
}

function secretOf(name: string): Secret {
  return { kind: 'generic', name, value: new Uint8Array(1) };
}

/** A publisher whose clock and event loop the test turns. */
function make() {
  const deltas: SnapshotDelta[] = [];
  const snapshots: Snapshot[] = [];
  const resolving: string[][] = [];
  const late: string[][] = [];
  const deferred: (() => void)[] = [];
  const waits: { delayMs: number; callback: () => void }[] = [];
  const publisher = new SnapshotPublisher({
    publish: (delta) => deltas.push(delta),
    onSnapshot: (snapshot) => snapshots.push(snapshot),
    onDnsClusters: (clusters) => resolving.push([...clusters.keys()]),
    onLate: (clusters) => late.push([...clusters]),
    maxWaitMs: 15_000,
    schedule: (delayMs, callback) => {
      const wait = { delayMs, callback };
      waits.push(wait);
      return () => {
        waits.splice(waits.indexOf(wait), 1);
      };
    },
    defer: (callback) => deferred.push(callback),
  });
  const nextTurn = () => {
    for (const callback of deferred.splice(0)) callback();
  };
  /** What the deltas from here on carry. */
  const published = (from = 0) => deltas.slice(from).map(namesOf);
  return { publisher, deltas, snapshots, resolving, late, nextTurn, waits, published };
}

/** Names of what a delta sets, a removed one with a minus: clusters and members first, as workers take them. */
function namesOf({ clusters, assignments, routes, listeners, secrets }: SnapshotDelta): string {
  const names = (kind: string, { set, removed }: MapDelta<unknown>) => [
    ...set.map(([name]) => `${kind}${name}`),
    ...removed.map((name) => `-${kind}${name}`),
  ];
  return [
    ...names('secret ', secrets),
    ...names('cluster ', clusters),
    ...names('members ', assignments),
    ...names('routes ', routes),
    ...names('listener ', listeners),
  ].join(', ');
}

/** Serves a cluster `plain` as generation 1. */
function serving() {
  const made = make();
  made.publisher.update(changeOf({ clusters: [plainCluster('plain')] }));
  made.publisher.ready();
  made.deltas.length = 0;
  return made;
}

t.test('nothing is published before everything that is served first was told', (t) => {
  const { publisher, deltas, snapshots, nextTurn, waits } = make();
  publisher.update(changeOf({ clusters: [plainCluster('a')] }));
  publisher.update(changeOf({ clusters: [plainCluster('b')], listeners: ['http'] }));
  publisher.setRuntime(new Map([['key', 1]]));
  nextTurn();
  t.same(deltas, []);
  publisher.ready();
  t.equal(deltas.length, 1);
  t.equal(namesOf(deltas[0]!), 'cluster a, cluster b, listener http');
  t.equal(deltas[0]!.generation, 1);
  t.same([...deltas[0]!.runtime!], [['key', 1]]);
  t.same(snapshots, [{ ...snapshots[0], generation: 1 }]);
  t.same(waits, []);
  t.end();
});

t.test('who has gathered the changes of a turn need not wait for its end', (t) => {
  const { publisher, published, nextTurn } = make();
  publisher.update(changeOf({ clusters: [plainCluster('a')] }));
  publisher.flush();
  t.same(published(), [], 'but for what is served first');
  publisher.ready();
  publisher.update(changeOf({ clusters: [plainCluster('b')] }));
  publisher.flush();
  t.same(published(1), ['cluster b']);
  nextTurn();
  t.same(published(2), [], 'once');
  t.end();
});

t.test('a configuration without anything in it is published too', (t) => {
  const { publisher, deltas } = make();
  publisher.ready();
  t.equal(deltas[0]?.generation, 1);
  t.end();
});

t.test('the first publication waits until every DNS cluster was asked once', (t) => {
  const { publisher, deltas, snapshots, waits, resolving, nextTurn } = make();
  publisher.update(changeOf({ clusters: [dnsCluster('a'), plainCluster('plain'), dnsCluster('b')] }));
  t.same(resolving, [['a', 'b']], 'it does not wait with its questions');
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  publisher.ready();
  t.equal(waits[0]?.delayMs, 15_000);
  t.same([snapshots.length, snapshots[0]?.generation], [1, 0], 'admin pages know the snapshot that waits');
  nextTurn();
  t.same(deltas, []);
  publisher.setAssignment('b', assignmentOf('10.0.0.2'));
  nextTurn();
  t.equal(namesOf(deltas[0]!), 'cluster a, cluster plain, cluster b, members a, members b');
  t.equal(deltas[0]!.generation, 1);
  t.same(waits, [], 'the wait is over');
  t.end();
});

t.test('the wait is bounded, and says for whom it was', (t) => {
  const { publisher, late, waits, published, nextTurn } = make();
  publisher.update(changeOf({ clusters: [dnsCluster('a'), dnsCluster('silent')] }));
  publisher.ready();
  publisher.setAssignment('a', assignmentOf('10.0.0.1'));
  nextTurn();
  waits[0]!.callback();
  t.same(late, [['silent']]);
  publisher.setAssignment('silent', assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(published(), ['cluster a, cluster silent, members a', 'members silent'], 'what is known is published');
  t.end();
});

t.test('a cluster that leaves while it is waited for is waited for no more', (t) => {
  const { publisher, published, nextTurn } = make();
  publisher.update(changeOf({ clusters: [dnsCluster('a')] }));
  publisher.ready();
  publisher.update(changeOf({ removedClusters: ['a'] }));
  nextTurn();
  t.same(published(), ['-cluster a, -members a']);
  t.end();
});

t.test('what is known in one turn is one delta with the next generation', (t) => {
  const { publisher, deltas, snapshots, nextTurn } = serving();
  publisher.update(changeOf({ clusters: [plainCluster('b')], assignments: [['b', assignmentOf('10.0.0.1')]] }));
  publisher.update(changeOf({ routes: ['r'], assignments: [['b', assignmentOf('10.0.0.2')]] }));
  t.same(deltas, []);
  nextTurn();
  t.same(deltas.map(namesOf), ['cluster b, members b, routes r']);
  t.equal(deltas[0]!.generation, 2);
  t.same(deltas[0]!.assignments.set, [['b', assignmentOf('10.0.0.2')]], 'the last word');
  t.equal(deltas[0]!.runtime, undefined);
  const [before, after] = snapshots.slice(-2) as [Snapshot, Snapshot];
  t.same([...after.clusters.keys()], ['plain', 'b']);
  t.equal(after.listeners, before.listeners, 'a map that did not change is not copied');
  nextTurn();
  t.equal(deltas.length, 1, 'nothing is published for nothing');
  publisher.update(changeOf({ removedClusters: ['b'] }));
  nextTurn();
  t.equal(deltas[1]!.generation, 3);
  t.same([...snapshots.at(-1)!.assignments], [], 'members leave with their cluster');
  t.end();
});

t.test('members of one turn are one delta, those of a cluster that has left are nobody’s', (t) => {
  const { publisher, published, nextTurn } = make();
  publisher.update(changeOf({ clusters: [dnsCluster('a'), dnsCluster('b')] }));
  publisher.ready();
  for (const name of ['a', 'b', 'gone']) publisher.setAssignment(name, assignmentOf('10.0.0.1'));
  nextTurn();
  for (const name of ['a', 'b', 'gone']) publisher.setAssignment(name, assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(published(1), ['members a, members b']);
  t.end();
});

t.test('runtime values go out at once, with what waits for the end of the turn', (t) => {
  const { publisher, deltas, nextTurn } = serving();
  publisher.update(changeOf({ routes: ['r'] }));
  publisher.setRuntime(new Map([['a', 1]]));
  t.same([namesOf(deltas[0]!), ...deltas[0]!.runtime!], ['routes r', ['a', 1]]);
  nextTurn();
  t.equal(deltas.length, 1);
  t.end();
});

t.test('a DNS cluster that comes later is kept back with what relies on it, the rest is not', (t) => {
  const { publisher, published, waits, nextTurn } = serving();
  publisher.update(
    changeOf({
      clusters: [dnsCluster('dns'), plainCluster('other')],
      assignments: [['other', assignmentOf('10.0.0.1')]],
      routes: ['r'],
      listeners: ['http'],
      removedClusters: ['plain'],
    }),
  );
  nextTurn();
  t.same(published(), ['cluster other, members other']);
  publisher.update(changeOf({ assignments: [['other', assignmentOf('10.0.0.2')]], routes: ['later'] }));
  nextTurn();
  t.same(published(1), ['members other'], 'later routes stand behind those that wait');
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(published(2), [
    'cluster dns, -cluster plain, members dns, -members plain, routes r, routes later, listener http',
  ]);
  t.same(waits, []);
  t.end();
});

t.test('each wait is bounded by itself', (t) => {
  const { publisher, published, late, waits, nextTurn } = serving();
  publisher.update(changeOf({ clusters: [dnsCluster('a')], routes: ['of-a'] }));
  publisher.update(changeOf({ clusters: [dnsCluster('b')], routes: ['of-b'] }));
  publisher.setAssignment('b', assignmentOf('10.0.0.2'));
  nextTurn();
  t.same(published(), []);
  waits[0]!.callback();
  t.same(late, [['a']]);
  t.same(published(), ['cluster a, cluster b, members b, routes of-a, routes of-b']);
  t.end();
});

t.test('a change ahead of those that wait is not undone by them', (t) => {
  const { publisher, snapshots, nextTurn } = serving();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], removedClusters: ['plain'] }));
  publisher.update(changeOf({ clusters: [plainCluster('plain')], assignments: [['plain', assignmentOf('10.0.0.1')]] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same([...snapshots.at(-1)!.clusters.keys()].sort(), ['dns', 'plain']);
  t.same([...snapshots.at(-1)!.assignments.keys()].sort(), ['dns', 'plain']);
  t.end();
});

t.test('a DNS cluster with members that changes is kept back by nothing', (t) => {
  const { publisher, published, nextTurn } = serving();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], routes: ['r'] }));
  nextTurn();
  t.same(published(1), ['cluster dns, routes r']);
  t.end();
});

t.test('a kept-back cluster that is found another way, or leaves, keeps nothing back', (t) => {
  for (const second of [{ clusters: [plainCluster('dns')] }, { removedClusters: ['dns'] }]) {
    const { publisher, published, resolving, nextTurn } = serving();
    publisher.update(changeOf({ clusters: [dnsCluster('dns')], routes: ['r'] }));
    publisher.update(changeOf(second));
    t.same(resolving, [['dns'], []]);
    nextTurn();
    t.equal(published().length, 1);
    t.match(published()[0], 'routes r');
  }
  t.end();
});

const names = ['a', 'b', 'c'];

type Step =
  | { readonly kind: 'change'; readonly dns: readonly string[]; readonly plain: readonly string[] }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'resolve'; readonly name: string }
  | { readonly kind: 'listener'; readonly name: string }
  | { readonly kind: 'turn' };

const subset = fc.uniqueArray(fc.constantFrom(...names));
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(subset, subset).map(([dns, plain]): Step => ({ kind: 'change', dns, plain })),
  fc
    .tuple(fc.constantFrom('remove', 'resolve', 'listener'), fc.constantFrom(...names))
    .map(([kind, name]): Step => ({ kind, name }) as Step),
  fc.constant<Step>({ kind: 'turn' }),
);

t.test('whatever comes in whatever order, the deltas add up to it, and DNS clusters come with their members', (t) => {
  const run = (steps: readonly Step[]) => {
    const { publisher, deltas, snapshots, resolving, nextTurn } = serving();
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
      else if (each.kind === 'resolve') publisher.setAssignment(each.name, assignmentOf('10.0.0.1'));
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
    nextTurn();
    nextTurn();
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
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), run), { seed: 4, numRuns: 1000 });
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

t.test('secrets go out ahead of what waits for members, and go when it has come', (t) => {
  const { publisher, published, nextTurn } = serving();
  publisher.update(changeOf({ secrets: ['old'] }));
  nextTurn();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], secrets: ['new'], removedSecrets: ['old'] }));
  nextTurn();
  t.same(published(), ['secret old', 'secret new']);
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(published(2), ['-secret old, cluster dns, members dns']);
  t.end();
});

t.test('a secret that comes back is not removed by an older change that waited', (t) => {
  const { publisher, published, snapshots, nextTurn } = serving();
  publisher.update(changeOf({ secrets: ['a'] }));
  nextTurn();
  publisher.update(changeOf({ clusters: [dnsCluster('dns')], removedSecrets: ['a'] }));
  publisher.update(changeOf({ secrets: ['a'] }));
  publisher.setAssignment('dns', assignmentOf('10.0.0.3'));
  nextTurn();
  t.same(published(1), ['secret a, cluster dns, members dns']);
  t.same([...snapshots.at(-1)!.secrets.keys()], ['a']);
  t.end();
});
