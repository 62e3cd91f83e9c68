import t from 'tap';
import { AssemblyBench, assignment, edsCluster, rdsListener, routeTable } from '../../support/assembly-bench.ts';

const started = (options: ConstructorParameters<typeof AssemblyBench>[0] = {}) =>
  new AssemblyBench(options).startEmpty();
const table = (name: string, ...clusters: readonly string[]) =>
  routeTable(name, ...clusters).replace(/\}$/, ', vhds: {config_source: {ads: {}}}}');
const host = (domain: string, cluster = 'c') =>
  `{name: ${domain.split(',')[0]}, domains: [${domain}], routes: [{match: {prefix: /}, route: {cluster: ${cluster}}}]}`;
const domainsOf = (bench: AssemblyBench, name = 'r') =>
  bench.snapshot.routes.get(name)?.virtualHosts.flatMap(({ domains }) => domains);

t.test('virtual hosts of a route configuration come from another type, and are served as one', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  t.notOk(bench.subscriptions.has('vhds *'));
  bench.respond('rds', { r: table('r', 'a') });
  t.ok(bench.subscriptions.has('vhds *'), 'all of them: their names are not known');
  t.same(bench.states('lds'), ['l warming']);
  t.same(bench.states('rds'), ['r warming']);
  bench.respond('vhds', { 'r/one': host('one'), 'other/two': host('two') });
  t.same(domainsOf(bench), ['a.example', 'one']);
  t.same(bench.states('lds'), ['l active']);
  t.notOk('virtualHostSource' in bench.snapshot.routes.get('r')!);
});

t.test('they change and go one by one, in one change a turn', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: table('r', 'a') });
  bench.respond('vhds', { 'r/one': host('one') });
  const before = bench.changes.length;
  bench.respond('vhds', { 'r/one': host('uno'), 'r/two': host('two') });
  t.same(domainsOf(bench), ['a.example', 'uno', 'two']);
  t.equal(bench.changes.length, before + 1);
  bench.respond('vhds', {}, ['r/one']);
  t.same(domainsOf(bench), ['a.example', 'two']);
  bench.respond('rds', { r: table('r', 'b') });
  t.same(domainsOf(bench), ['b.example', 'two'], 'they outlive a new state of the route configuration');
});

t.test('a listener serves without those that did not come in time, and with an empty answer', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: table('r', 'a') });
  bench.absent('vhds', '*');
  t.same(domainsOf(bench), ['a.example']);
  const other = started();
  other.respond('lds', { l: rdsListener('l', 1000, 'r') });
  other.respond('rds', { r: table('r', 'a') });
  other.respond('vhds', {});
  t.same(domainsOf(other), ['a.example']);
});

t.test('a virtual host waits for the clusters that it names and that are warming', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: table('r') });
  bench.respond('vhds', { 'r/one': host('one') });
  bench.respond('cds', { warming: edsCluster('warming') });
  bench.respond('vhds', { 'r/two': host('two', 'warming') });
  t.same(domainsOf(bench), ['one']);
  bench.respond('eds', { warming: assignment('warming', 1) });
  t.same(domainsOf(bench), ['one', 'two']);
  bench.respond('cds', {}, ['warming']);
  t.ok(bench.snapshot.clusters.has('warming'), 'a cluster stays while a virtual host names it');
});

t.test('a domain is of one virtual host only, whichever way they come', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: table('r', 'a') });
  t.same(bench.respond('vhds', { 'r/one': host('one'), 'r/two': host('one'), 'r/three': host('a.example') }), [
    'r/two: domains[0]: domain "one" exists already, in virtual host "one"',
    'r/three: domains[0]: domain "a.example" exists already, in virtual host "h0"',
  ]);
  t.same(bench.respond('rds', { r: table('r', 'b').replace('b.example', 'one') }), [
    'r: virtual_hosts[0].domains[0]: domain "one" exists already, in virtual host "one"',
  ]);
  t.same(domainsOf(bench), ['a.example', 'one']);
  t.matchOnly(bench.respond('vhds', { alone: host('x') }), [/^alone: name: must be ROUTE_CONFIGURATION\/NAME/]);
  t.same(bench.respond('vhds', { 'r/four': host('one') }, ['r/one']), [], 'what is removed makes room first');
});

t.test('a domain that moves to another virtual host in one response moves in whichever order they come', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: table('r') });
  bench.respond('vhds', { 'r/one': host('x, y'), 'r/two': host('z') });
  t.same(bench.respond('vhds', { 'r/two': host('z, y'), 'r/one': host('x') }), []);
  t.same(domainsOf(bench)?.toSorted(), ['x', 'y', 'z']);
  t.same(bench.respond('vhds', { 'r/one': host('x, y'), 'r/two': host('z') }), []);
  t.same(bench.respond('vhds', { 'r/three': host('y'), 'r/two': host('z, x') }), [
    'r/three: domains[0]: domain "y" exists already, in virtual host "x"',
    'r/two: domains[1]: domain "x" exists already, in virtual host "x"',
  ]);
  t.same(domainsOf(bench)?.toSorted(), ['x', 'y', 'z']);
});

t.test('they are let go with the last route configuration that takes them', async (t) => {
  const bench = started({ drainTimeMs: 10 });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r'), m: rdsListener('m', 1001, 's') });
  bench.respond('rds', { r: table('r', 'a'), s: table('s', 'a') });
  bench.respond('vhds', { 'r/one': host('one'), 's/one': host('one') });
  bench.respond('rds', { r: routeTable('r', 'a') });
  t.same([domainsOf(bench), domainsOf(bench, 's')], [['a.example'], ['a.example', 'one']]);
  t.ok(bench.subscriptions.has('vhds *'));
  bench.respond('lds', {}, ['m']);
  bench.pass(10);
  t.notOk(bench.subscriptions.has('vhds *'));
  t.same(bench.held('vhds'), []);
  bench.respond('rds', { r: table('r', 'a') });
  t.ok(bench.subscriptions.has('vhds *'));
  t.same(bench.states('rds'), ['r warming'], 'they are waited for anew; the older state serves');
  t.same(domainsOf(bench), ['a.example']);
});

t.test('route configurations have their virtual hosts from a source of their own', async (t) => {
  const api = 'api_config_source: {api_type: DELTA_GRPC, grpc_services: [{envoy_grpc: {cluster_name: x}}]}';
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  t.matchOnly(bench.respond('rds', { r: table('r').replace('ads: {}', api) }), [
    /^r: vhds\.config_source: there is no static cluster "x" for gRPC/,
  ]);
});

t.test('virtual hosts come by changes only', async (t) => {
  const target = { kind: 'cluster', cluster: 'x' } as const;
  const service = { target, initialMetadata: [] };
  const ads = { protocol: 'state-of-the-world', service, setNodeOnFirstMessageOnly: true } as const;
  const source = { kind: 'ads', initialFetchTimeoutMs: 15_000 } as const;
  const bench = started({ dynamicResources: { ads, clusters: source, listeners: source } });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  t.same(bench.respond('rds', { r: table('r') }), [
    'r: vhds.config_source: VHDS by the state of the world is not supported; write DELTA_GRPC',
  ]);
  const refusal = (text: string) => bench.respond('rds', { r: table('r').replace('ads: {}', text) });
  t.matchOnly(refusal('path: /hosts.yaml'), [/VHDS from a file is not supported/]);
  const api = 'api_config_source: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: x}}]}';
  t.matchOnly(refusal(api), [/api_type: VHDS by the state of the world is not supported/]);
});
