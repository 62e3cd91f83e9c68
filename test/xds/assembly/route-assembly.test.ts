import t from 'tap';
import {
  AssemblyBench,
  assignment,
  edsCluster,
  rdsListener,
  routeTable,
  staticCluster,
} from '../../support/assembly-bench.ts';

/** With cluster a, and listener l that serves routes r to it. */
function serving(): AssemblyBench {
  const bench = new AssemblyBench().startEmpty();
  bench.respond('cds', { a: staticCluster('a', 1) });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r', 'a') });
  return bench;
}

const clustersOf = ({ snapshot }: AssemblyBench, name = 'r') =>
  snapshot.routes.get(name)?.virtualHosts.map(({ domains }) => domains[0]!.replace('.example', ''));

t.test('routes are subscribed to while a listener needs them, and follow the control plane', async (t) => {
  const bench = serving();
  t.ok(bench.subscriptions.has('rds r'));
  t.same(clustersOf(bench), ['a']);
  const before = bench.changes.length;
  bench.respond('rds', { r: routeTable('r', 'a', 'gone') });
  t.same(clustersOf(bench), ['a', 'gone'], 'a cluster that exists nowhere is not waited for');
  t.same(
    bench.changes.slice(before).map(({ listeners, routes }) => [listeners.set.length, routes.set.length]),
    [[0, 1]],
  );
});

t.test('routes to a cluster that is warming wait for it', async (t) => {
  const bench = serving();
  bench.respond('cds', { b: edsCluster('b') });
  bench.respond('rds', { r: routeTable('r', 'b') });
  t.same(clustersOf(bench), ['a']);
  t.same(bench.states('rds'), ['r warming']);
  bench.respond('eds', { b: assignment('b', 2) });
  t.same(clustersOf(bench), ['b']);
  const { clusters, routes } = bench.changes.at(-1)!;
  t.same([clusters.set.length, routes.set.length], [1, 1], 'both come in one change');
  t.same(bench.states('rds'), ['r active']);
});

t.test('routes that come in one turn before their cluster wait for it as well', async (t) => {
  const bench = serving();
  bench.push('rds', { r: routeTable('r', 'b') });
  bench.push('cds', { b: edsCluster('b') });
  bench.turn();
  t.same(clustersOf(bench), ['a']);
  bench.respond('eds', { b: assignment('b', 2) });
  t.same(clustersOf(bench), ['b']);
});

t.test('a new state of a cluster that serves is not waited for', async (t) => {
  const bench = serving();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('rds', { r: routeTable('r', 'a', 'a2') });
  t.same(clustersOf(bench), ['a', 'a2']);
});

t.test('routes wait five seconds at most, counted from the first state that waits', async (t) => {
  const bench = serving();
  bench.respond('cds', { b: edsCluster('b') });
  bench.respond('rds', { r: routeTable('r', 'b') });
  bench.pass(3_000);
  bench.respond('rds', { r: routeTable('r', 'b', 'c') });
  bench.pass(1_999);
  t.same(clustersOf(bench), ['a']);
  bench.pass(1);
  t.same(clustersOf(bench), ['b', 'c']);
  bench.respond('rds', { r: routeTable('r', 'b', 'd') });
  t.same(clustersOf(bench), ['b', 'c'], 'the next state has its own five seconds');
});

t.test('routes that a listener had to serve without do not wait when they come', async (t) => {
  const bench = serving();
  bench.respond('lds', { m: rdsListener('m', 1001, 'late') });
  bench.absent('rds', 'late');
  bench.respond('cds', { b: edsCluster('b') });
  bench.respond('rds', { late: routeTable('late', 'a', 'b') });
  t.same(clustersOf(bench, 'late'), ['a', 'b']);
});

t.test('routes do not wait for a cluster that is removed again', async (t) => {
  const bench = serving();
  bench.respond('cds', { b: edsCluster('b') });
  bench.respond('rds', { r: routeTable('r', 'b') });
  bench.respond('cds', {}, ['b']);
  t.same(clustersOf(bench), ['b']);
});

t.test('routes that come before their listener are passed over, and sent again when it asks for them', async (t) => {
  const bench = new AssemblyBench().startEmpty();
  t.same(bench.respond('rds', { r: routeTable('r') }), []);
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  t.notOk(bench.snapshot.listeners.has('l'));
  bench.respond('rds', { r: routeTable('r') });
  t.ok(bench.snapshot.listeners.has('l'));
});

t.test('the removal of routes in use is ignored: the last state serves', async (t) => {
  const bench = serving();
  bench.respond('rds', {}, ['r']);
  t.same(clustersOf(bench), ['a']);
  t.same(bench.held('rds'), ['r']);
});

t.test('a refused state of routes leaves the older one', async (t) => {
  const bench = serving();
  t.matchOnly(
    bench.respond('rds', { r: '{name: r, virtual_hosts: [{name: h, domains: [x]}, {name: i, domains: [x]}]}' }),
    [/^r: virtual_hosts\[1\]\.domains\[0\]: domain "x" exists already/],
  );
  t.same(clustersOf(bench), ['a']);
  t.same(bench.states('rds'), ['r active']);
});
