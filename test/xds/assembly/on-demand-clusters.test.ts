import t from 'tap';
import type { OnDemandName } from '../../../config/on-demand.ts';
import {
  AssemblyBench,
  edsCluster,
  rdsListener,
  receivedOf,
  routeTable,
  staticCluster,
} from '../../support/assembly-bench.ts';

const clusterType = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const ads = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;
const named = (name: string): OnDemandName => ({ kind: 'cluster', name });
const states = (bench: AssemblyBench) => bench.assembler.demanded.map(({ name, state }) => `${name} ${state}`);

t.test('a cluster that is asked for is served like any other, and told of when it is not there', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.assembler.demand(named('a'), 0);
  t.ok(bench.subscriptions.has('cds a'));
  bench.respond('cds', { a: staticCluster('a', 80) });
  t.ok(bench.snapshot.clusters.has('a'));
  bench.assembler.endDemand(named('a'), 0);
  bench.assembler.demand(named('b'), 1);
  bench.absent('cds', 'b');
  t.same(bench.refusedDemands, ['cluster b absent for 1']);
  bench.respond('cds', {}, ['a']);
  t.same(states(bench), ['b absent', 'a absent']);
  t.notOk(bench.snapshot.clusters.has('a'));
});

t.test('it serves with its members, and one that is refused is not there', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.assembler.demand(named('a'), 0);
  bench.respond('cds', { a: edsCluster('a') });
  t.notOk(bench.snapshot.clusters.has('a'));
  t.same(bench.refusedDemands, []);
  bench.assembler.demand(named('b'), 0);
  bench.respond('cds', { b: '{name: b, type: STATIC, load_assignment: {cluster_name: b}, lb_policy: MAGLEV}' });
  t.same(bench.refusedDemands, ['cluster b absent for 0']);
});

t.test('without a subscription to all clusters one that makes room goes', async (t) => {
  const bench = new AssemblyBench({ dynamicResources: { listeners: ads } });
  bench.assembler.start();
  bench.turn();
  for (let index = 0; index < 4096; index++) {
    bench.assembler.demand(named(`c${index}`), 0);
    bench.respond('cds', { [`c${index}`]: staticCluster(`c${index}`, 80) });
    bench.assembler.endDemand(named(`c${index}`), 0);
  }
  t.ok(bench.snapshot.clusters.has('c0'));
  bench.assembler.demand(named('one-more'), 0);
  bench.turn();
  t.notOk(bench.snapshot.clusters.has('c0'));
  t.notOk(bench.subscriptions.has('cds c0'));
  t.equal(bench.snapshot.clusters.size, 4095);
});

t.test('without it a cluster that comes under another name than was asked for is not taken', async (t) => {
  const bench = new AssemblyBench({ dynamicResources: { listeners: ads } });
  bench.assembler.start();
  bench.turn();
  bench.assembler.demand(named('asked'), 0);
  const other = receivedOf('cds', 'other', { yaml: staticCluster('other', 80), version: '1' });
  bench.consumer('cds').onUpdate({ version: '1', resources: [{ ...other, aliases: ['asked'] }], removed: [] });
  bench.turn();
  t.equal(bench.snapshot.clusters.size, 0);
  t.same(bench.states('cds'), []);
  t.same(states(bench), ['asked waiting'], 'its own name may come still');
  bench.respond('cds', { asked: staticCluster('asked', 80) });
  t.same([...bench.snapshot.clusters.keys()], ['asked']);
});

t.test('a request cannot ask for all clusters, nor let go of them, by the name that stands for all', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.assembler.demand(named('*'), 3);
  t.same(bench.refusedDemands, ['cluster * absent for 3']);
  t.same(states(bench), []);
  bench.assembler.endDemand(named('*'), 3);
  for (let index = 0; index <= 4096; index++) {
    bench.assembler.demand(named(`c${index}`), 0);
    bench.assembler.endDemand(named(`c${index}`), 0);
  }
  t.notOk(bench.subscriptions.has('cds c0'), 'the oldest made room');
  t.ok(bench.subscriptions.has('cds *'));
  const some = new AssemblyBench({ dynamicResources: { listeners: ads } });
  some.assembler.start();
  some.turn();
  some.assembler.demand(named('*'), 0);
  t.notOk(some.subscriptions.has('cds *'));
});

t.test('nobody is asked where there is no aggregated stream of changes', async (t) => {
  const api = {
    protocol: 'state-of-the-world',
    service: undefined as never,
    setNodeOnFirstMessageOnly: false,
  } as const;
  const bench = new AssemblyBench({ dynamicResources: { ads: api, clusters: ads, listeners: ads } }).startEmpty();
  bench.assembler.demand(named('a'), 2);
  t.same(bench.refusedDemands, ['cluster a absent for 2']);
  t.notOk(bench.subscriptions.has('cds a'));
  const odcds = 'odcds: {source: {ads: {}}}';
  const filter = `{name: d, typed_config: {"@type": t/envoy.extensions.filters.http.on_demand.v3.OnDemand, ${odcds}}}`;
  const listener = rdsListener('l', 1000, 'r').replace('http_filters: [', `http_filters: [${filter}, `);
  t.same(bench.respond('lds', { l: listener }), [
    'l: filter_chains: clusters on demand: ads_config must be DELTA_GRPC for that',
  ]);
});

t.test('a host that is asked for comes with its route configuration, and goes with it', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  const routes = routeTable('r', 'a').replace(/\}$/, ', vhds: {config_source: {ads: {}}}}');
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routes });
  bench.respond('vhds', {});
  const host = { kind: 'virtual-host', routeConfiguration: 'r', host: 'b' } as const;
  bench.assembler.demand(host, 0);
  t.ok(bench.subscriptions.has('vhds r/b'));
  bench.respond('vhds', { 'r/b': '{name: b, domains: [b], routes: [{match: {prefix: /}, route: {cluster: c}}]}' });
  t.same(states(bench), ['r/b present']);
  t.equal(bench.snapshot.routes.get('r')?.hasVirtualHostSource, true);
  bench.respond('rds', { r: routeTable('r', 'a') });
  t.notOk(bench.subscriptions.has('vhds r/b'));
  t.same(states(bench), []);
});

t.test('what requests asked for is not kept for the next start, at which nobody would subscribe to it', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  const held = (typeUrl: string) =>
    [...bench.assembler.consumer(typeOf(bench, typeUrl), 'ads').held()].map(([name]) => name);
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r', 'a').replace(/\}$/, ', vhds: {config_source: {ads: {}}}}') });
  const host = (name: string) =>
    `{name: ${name}, domains: [${name}], routes: [{match: {prefix: /}, route: {cluster: c}}]}`;
  bench.respond('vhds', { 'r/pushed': host('pushed') });
  bench.assembler.demand({ kind: 'virtual-host', routeConfiguration: 'r', host: 'asked' }, 0);
  bench.respond('vhds', { 'r/asked': host('asked') });
  t.same(held('VirtualHost'), ['r/pushed']);
  bench.respond('cds', { pushed: staticCluster('pushed', 80) });
  bench.assembler.demand(named('asked'), 0);
  bench.respond('cds', { asked: staticCluster('asked', 80) });
  t.same(held('Cluster'), ['pushed']);
});

t.test('without a subscription to all clusters it is: it is given to who asks for it again', async (t) => {
  const bench = new AssemblyBench({ dynamicResources: { listeners: ads } });
  bench.assembler.start();
  bench.turn();
  bench.assembler.demand(named('asked'), 0);
  bench.respond('cds', { asked: staticCluster('asked', 80) });
  const held = bench.assembler.consumer(typeOf(bench, 'Cluster'), 'ads').held();
  t.same(
    [...held].map(([name]) => name),
    ['asked'],
  );
});

function typeOf(bench: AssemblyBench, messageName: string) {
  return bench.assembler.types.find(({ typeUrl }) => typeUrl.endsWith(`.${messageName}`))!;
}

/** As many as requests may think of. */
const endless = 100_000;
const refusedCluster = '{name: any, type: STATIC, load_assignment: {cluster_name: any}, lb_policy: MAGLEV}';

for (const isWildcard of [true, false]) {
  t.test(
    `of 100,000 names that are refused 4,096 are known, ${isWildcard ? 'with' : 'without'} all clusters`,
    async (t) => {
      const dynamicResources = { listeners: ads, ...(isWildcard && { clusters: ads }) };
      const bench = new AssemblyBench({ dynamicResources });
      if (isWildcard) bench.startEmpty();
      else bench.assembler.start();
      const refusal = receivedOf('cds', 'any', { yaml: refusedCluster, version: '1' });
      for (let index = 0; index < endless; index++) {
        bench.assembler.demand(named(`c${index}`), 0);
        bench.consumer('cds').onUpdate({ version: '1', resources: [{ ...refusal, name: `c${index}` }], removed: [] });
        bench.assembler.endDemand(named(`c${index}`), 0);
      }
      bench.turn();
      t.equal(bench.refusedDemands.length, endless);
      t.equal(bench.assembler.resources(clusterType).length, 4096);
      t.equal([...bench.subscriptions].filter((each) => each.startsWith('cds c')).length, 4096);
      t.equal(bench.assembler.demanded.length, 4096);
    },
  );
}

t.test('of 100,000 names that nobody answers 4,096 are subscribed to', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  bench.assembler.demand(named('kept'), 0);
  bench.respond('cds', { kept: staticCluster('kept', 80) });
  bench.assembler.endDemand(named('kept'), 0);
  for (let index = 0; index < endless; index++) {
    bench.assembler.demand(named(`c${index}`), 0);
    bench.assembler.endDemand(named(`c${index}`), 0);
  }
  t.equal([...bench.subscriptions].filter((each) => each.startsWith('cds ')).length, 4096 + 1, 'with all clusters');
  t.same(bench.refusedDemands, []);
  t.equal(states(bench)[0], 'kept present', 'what exists has made no room for what does not');
});

t.test('a cluster that always comes after its time-out serves the request after it', async (t) => {
  const bench = new AssemblyBench({ dynamicResources: { listeners: ads } });
  bench.assembler.start();
  bench.turn();
  bench.assembler.demand(named('slow'), 0);
  bench.assembler.endDemand(named('slow'), 0);
  t.ok(bench.subscriptions.has('cds slow'), 'it is subscribed to by its name alone');
  bench.respond('cds', { slow: staticCluster('slow', 80) });
  t.ok(bench.snapshot.clusters.has('slow'));
  t.same(states(bench), ['slow present']);
});
