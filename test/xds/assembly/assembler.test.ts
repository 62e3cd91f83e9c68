import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { ConfigSource } from '../../../config/config-source.ts';
import type { Listener } from '../../../config/listener.ts';
import { decodeCluster } from '../../../xds/decode/cluster.ts';
import { decodeListener } from '../../../xds/decode/listener.ts';
import {
  AssemblyBench,
  assignment,
  edsCluster,
  inlineListener,
  portsOf,
  rdsListener,
  routeTable,
  staticCluster,
} from '../../support/assembly-bench.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const ads = (initialFetchTimeoutMs: number): ConfigSource => ({ kind: 'ads', initialFetchTimeoutMs });

const clusterOf = (yaml: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', yaml, (message: object, problems) =>
    decodeCluster(message, undefined, problems),
  ).value as Cluster;
const listenerOf = (yaml: string) =>
  decodedAs('envoy.config.listener.v3.Listener', yaml, (message: object, problems) =>
    decodeListener(message, new Map(), problems),
  ).value as Listener;

t.test('nothing serves before the first clusters are there and warm, then listeners', async (t) => {
  const bench = new AssemblyBench({ listeners: [listenerOf(inlineListener('static', 900))] });
  t.same(bench.assembler.start(), []);
  bench.turn();
  t.same([...bench.subscriptions], ['cds *'], 'listeners are asked for later');
  bench.respond('cds', { a: edsCluster('a') });
  t.same([...bench.subscriptions], ['cds *', 'eds a', 'lds *']);
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  t.same(bench.changes, []);
  bench.respond('eds', { a: assignment('a', 1) });
  t.same([...bench.snapshot.clusters.keys(), ...bench.snapshot.listeners.keys()], ['a', 'static']);
  t.notOk(bench.isReady);
  bench.respond('rds', { r: routeTable('r', 'a') });
  t.same([...bench.snapshot.listeners.keys()], ['static', 'l']);
  t.ok(bench.isReady);
});

t.test('the start waits for a control plane as long as its sources say', async (t) => {
  const bench = new AssemblyBench({
    dynamicResources: { clusters: ads(1_000), listeners: ads(2_000) },
    listeners: [listenerOf(inlineListener('static', 900))],
  });
  bench.assembler.start();
  bench.turn();
  bench.pass(999);
  t.same(bench.changes, []);
  bench.pass(1);
  t.ok(bench.snapshot.listeners.has('static'));
  t.ok(bench.subscriptions.has('lds *'));
  t.notOk(bench.isReady);
  bench.pass(2_000);
  t.ok(bench.isReady);
});

t.test('a timeout of zero waits for ever', async (t) => {
  const bench = new AssemblyBench({ dynamicResources: { clusters: ads(0) } });
  bench.assembler.start();
  bench.turn();
  bench.pass(1e9);
  t.notOk(bench.isReady);
  bench.respond('cds', {});
  t.ok(bench.isReady, 'without listeners of a control plane there is nothing else to wait for');
});

t.test('the stream says that the first clusters do not come', async (t) => {
  const bench = new AssemblyBench();
  bench.assembler.start();
  bench.turn();
  bench.absent('cds', '*');
  bench.absent('lds', '*');
  t.ok(bench.isReady);
});

t.test('without a control plane the static resources are the first change', async (t) => {
  const bench = new AssemblyBench({
    dynamicResources: {},
    clusters: [clusterOf(staticCluster('a', 1))],
    listeners: [listenerOf(inlineListener('l', 1000, 'a'))],
  });
  bench.assembler.start();
  bench.turn();
  t.equal(bench.changes.length, 1);
  t.same([portsOf(bench.snapshot, 'a'), bench.snapshot.listeners.size, bench.isReady], [[1], 1, true]);
  t.same(bench.calls, []);
});

t.test('static resources may need dynamic ones', async (t) => {
  const bench = new AssemblyBench({
    dynamicResources: {},
    clusters: [clusterOf(edsCluster('a'))],
    listeners: [listenerOf(rdsListener('l', 1000, 'r'))],
  });
  bench.assembler.start();
  bench.turn();
  t.same([...bench.subscriptions], ['eds a', 'rds r']);
  bench.respond('rds', { r: routeTable('r', 'a') });
  t.same(bench.changes, []);
  bench.respond('eds', { a: assignment('a', 1) });
  t.same([bench.snapshot.clusters.size, bench.snapshot.listeners.size, bench.isReady], [1, 1, true]);
});

t.test('static resources that cannot be are told', async (t) => {
  const grpc: ConfigSource = {
    kind: 'grpc',
    initialFetchTimeoutMs: 0,
    api: {
      protocol: 'delta',
      setNodeOnFirstMessageOnly: true,
      service: { target: { kind: 'cluster', cluster: 'x' }, initialMetadata: [] },
    },
  };
  const cluster = {
    ...clusterOf(edsCluster('a')),
    discovery: { kind: 'eds', serviceName: 'a', source: grpc },
  } as const;
  const bench = new AssemblyBench({ clusters: [cluster] });
  t.match(
    bench.assembler.start(),
    onlyItems({ name: 'a', problems: onlyItems({ message: 'there is no static cluster "x" for gRPC' }) }),
  );
});

t.test('what was kept from an earlier run is an answer: it serves before the control plane speaks', async (t) => {
  const bench = new AssemblyBench();
  bench.assembler.start();
  bench.push('cds', { a: edsCluster('a') });
  bench.push('eds', { a: assignment('a', 1) });
  bench.push('lds', { l: rdsListener('l', 1000, 'r') });
  bench.push('rds', { r: routeTable('r', 'a') });
  bench.turn();
  t.equal(bench.changes.length, 1);
  t.same([...bench.snapshot.listeners.keys(), ...bench.snapshot.routes.keys()], ['l', 'r']);
  t.ok(bench.isReady);
  t.ok(bench.subscriptions.has('cds *') && bench.subscriptions.has('lds *'));
});

t.test('what arrives in one turn is one change', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', { a: edsCluster('a') });
  const before = bench.changes.length;
  bench.push('eds', { a: assignment('a', 1) });
  bench.push('cds', { b: staticCluster('b', 2), c: staticCluster('c', 3) });
  bench.push('lds', { l: inlineListener('l', 1000, 'a', 'b') });
  bench.push('cds', {}, ['c']);
  bench.turn();
  t.equal(bench.changes.length, before + 1);
  t.match(bench.changes.at(-1), { clusters: { removed: onlyItems('c') } });
  t.same([...bench.snapshot.clusters.keys()], ['a', 'b']);
});

t.test('the order of the types in one turn does not matter', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.push('lds', { l: rdsListener('l', 1000, 'r') });
  bench.push('rds', { r: routeTable('r', 'a') });
  bench.push('cds', { a: edsCluster('a') });
  bench.push('eds', { a: assignment('a', 1) });
  bench.turn();
  t.equal(bench.changes.length, 1);
  t.same([...bench.snapshot.listeners.keys(), ...bench.snapshot.routes.keys()], ['l', 'r']);
});

t.test('an answer that changes nothing is no change', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', { a: staticCluster('a', 1) });
  const before = bench.changes.length;
  bench.respond('cds', { a: staticCluster('a', 1) });
  bench.respond('lds', {});
  t.equal(bench.changes.length, before);
});

t.test('runtime layers come before everything, and their removal takes effect', async (t) => {
  const layer = { name: 'dynamic', kind: 'rtds', resource: 'rt', source: ads(500), values: new Map() } as const;
  const bench = new AssemblyBench({ runtimeLayers: [layer] });
  bench.assembler.start();
  bench.turn();
  t.same([...bench.subscriptions], ['rtds rt']);
  bench.respond('rtds', { rt: '{name: rt, layer: {a: {b: 1}}}' });
  t.same(bench.layers.get('dynamic'), new Map([['a.b', 1]]));
  t.ok(bench.subscriptions.has('cds *'));
  bench.respond('rtds', {}, ['rt']);
  t.same(bench.layers.get('dynamic'), new Map());
});

t.test('every type of a control plane has a consumer, and unknown ones have none', async (t) => {
  const { assembler } = new AssemblyBench();
  t.same(
    assembler.types.map(({ shortName }) => shortName),
    ['rtds', 'cds', 'eds', 'lds', 'rds', 'sds', 'ecds', 'vhds'],
  );
  for (const type of assembler.types) t.equal(assembler.consumer(type, 'ads').type, type);
  const unknown = { typeUrl: 'type.googleapis.com/x', shortName: 'x', nameOf: () => '' };
  t.throws(() => assembler.consumer(unknown, 'ads'), /nothing takes resources of type.googleapis.com\/x/);
  t.same(assembler.resources(unknown.typeUrl), []);
});

t.test('sources of one type are kept apart', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  const fromFile = edsCluster('b', { service: 's' }).replace('{ads: {}}', '{path: /eds.yaml}');
  bench.respond('cds', { a: edsCluster('a', { service: 's' }), b: fromFile });
  bench.respond('eds', { s: assignment('s', 1) });
  t.same([portsOf(bench.snapshot, 'a'), portsOf(bench.snapshot, 'b')], [[1], undefined]);
  t.same([...bench.consumer('eds', '/eds.yaml').heldVersions()], []);
});

t.test(
  'clusters that leave together take many turns, and are one change that keeps what comes back meanwhile',
  async (t) => {
    const names = Array.from({ length: 9 }, (_, index) => `c${index}`);
    const clusters = Object.fromEntries(names.map((name) => [name, edsCluster(name)]));
    const bench = new AssemblyBench().startEmpty();
    bench.respond('cds', clusters);
    bench.respond('eds', Object.fromEntries(names.map((name) => [name, assignment(name, 1)])));
    const before = bench.changes.length;
    bench.clock = () => (bench.nowMs += 5);
    bench.push('cds', {}, names);
    bench.slice();
    bench.slice();
    bench.push('cds', { c8: edsCluster('c8', { fields: ', connect_timeout: 9s' }), c0: clusters['c0']! });
    t.equal(bench.changes.length, before);
    let slices = 0;
    for (; bench.changes.length === before && slices < 99; slices++) bench.slice();
    t.ok(slices > 9, `${slices} slices`);
    t.same(bench.changes.at(-1)!.clusters.removed.toSorted(), names.slice(1, 8), 'all at once');
    t.same([...bench.snapshot.clusters.keys()].sort(), ['c0', 'c8'], 'also one that was gone already');
    bench.turn();
    t.same([...bench.subscriptions].sort(), ['cds *', 'eds c0', 'eds c8', 'lds *']);
    t.same([portsOf(bench.snapshot, 'c0'), portsOf(bench.snapshot, 'c8')], [[1], [1]]);
  },
);
