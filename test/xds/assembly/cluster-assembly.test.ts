import t from 'tap';
import {
  AssemblyBench,
  assignment,
  edsCluster,
  portsOf,
  rdsListener,
  routeTable,
  staticCluster,
  tcpListener,
} from '../../support/assembly-bench.ts';

const started = () => new AssemblyBench().startEmpty();

t.test('a static cluster serves at once', async (t) => {
  const bench = started();
  t.same(bench.respond('cds', { a: staticCluster('a', 1) }), []);
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  t.same(bench.states('cds'), ['a active']);
});

t.test('an EDS cluster warms until its members are there', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a', { service: 's' }) });
  t.ok(bench.subscriptions.has('eds s'));
  t.notOk(bench.snapshot.clusters.has('a'));
  t.same(bench.states('cds'), ['a warming']);
  bench.respond('eds', { s: assignment('s', 1, 2) });
  t.same(portsOf(bench.snapshot, 'a'), [1, 2]);
  t.same(bench.states('cds'), ['a active']);
});

t.test('an EDS cluster whose time is over serves without members until they come', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.absent('eds', 'a');
  t.ok(bench.snapshot.clusters.has('a'));
  t.same(portsOf(bench.snapshot, 'a'), []);
  t.same(bench.states('eds'), ['a absent']);
  bench.respond('eds', { a: assignment('a', 1) });
  t.same(portsOf(bench.snapshot, 'a'), [1]);
});

t.test('members that are said not to exist are not waited for', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('eds', {}, ['a']);
  t.same(portsOf(bench.snapshot, 'a'), []);
});

t.test('refused members are not waited for, unless an older state of the cluster serves', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a', { service: 's1' }) });
  const host = '{endpoint: {address: {socket_address: {address: a.example, port_value: 1}}}}';
  const wrong = (service: string) => `{cluster_name: ${service}, endpoints: [{lb_endpoints: [${host}]}]}`;
  t.matchOnly(bench.respond('eds', { s1: wrong('s1') }), [/"a.example" is not a literal IP address/]);
  t.same(portsOf(bench.snapshot, 'a'), []);
  bench.respond('eds', { s1: assignment('s1', 1) });
  bench.respond('cds', { a: edsCluster('a', { service: 's2' }) });
  bench.respond('eds', { s2: wrong('s2') });
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  t.same(bench.states('cds'), ['a warming']);
});

t.test('an update of a cluster takes the members that are held', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('eds', { a: assignment('a', 1) });
  bench.respond('cds', { a: edsCluster('a', { fields: ', connect_timeout: 9s' }) });
  t.equal(bench.snapshot.clusters.get('a')?.connectTimeoutMs, 9000);
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  t.same(bench.changes.at(-1)?.assignments, { set: [], removed: [] }, 'they are not told again');
  t.same(
    bench.calls.filter((call) => call.includes('eds')),
    ['+eds a'],
  );
});

t.test('the older state serves while a newer one warms', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a', { service: 's1' }) });
  bench.respond('eds', { s1: assignment('s1', 1) });
  bench.respond('cds', { a: edsCluster('a', { service: 's2', fields: ', connect_timeout: 9s' }) });
  t.equal(bench.snapshot.clusters.get('a')?.connectTimeoutMs, 5000);
  bench.respond('eds', { s1: assignment('s1', 11) });
  t.same(portsOf(bench.snapshot, 'a'), [11], 'and its members are followed');
  bench.respond('eds', { s2: assignment('s2', 2) });
  t.equal(bench.snapshot.clusters.get('a')?.connectTimeoutMs, 9000);
  t.same(portsOf(bench.snapshot, 'a'), [2]);
  t.notOk(bench.subscriptions.has('eds s1'), 'then nobody needs its members');
  t.same(bench.held('eds'), ['s2']);
});

t.test('a state that warms is replaced by the next one', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a', { service: 's1' }) });
  bench.respond('cds', { a: edsCluster('a', { service: 's2' }) });
  t.notOk(bench.subscriptions.has('eds s1'));
  bench.respond('eds', { s1: assignment('s1', 1) });
  t.notOk(bench.snapshot.clusters.has('a'), 'members of the state before are passed over');
  bench.respond('eds', { s2: assignment('s2', 2) });
  t.same(portsOf(bench.snapshot, 'a'), [2]);
});

t.test('a cluster that is removed and comes back while it warms waits for its members again', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('cds', {}, ['a']);
  t.notOk(bench.subscriptions.has('eds a'));
  bench.respond('cds', { a: edsCluster('a') });
  t.same(
    bench.calls.filter((call) => call.includes('eds')),
    ['+eds a', '-eds a', '+eds a'],
  );
  bench.respond('eds', { a: assignment('a', 1) });
  t.same(portsOf(bench.snapshot, 'a'), [1]);
});

t.test('within one turn a cluster that is removed and comes back keeps its members', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('eds', { a: assignment('a', 1) });
  const before = bench.changes.length;
  bench.push('cds', {}, ['a']);
  bench.push('cds', { a: edsCluster('a') });
  bench.turn();
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  t.same(
    bench.calls.filter((call) => call.includes('eds')),
    ['+eds a'],
  );
  t.same(
    bench.changes.slice(before).flatMap(({ clusters }) => clusters.removed),
    [],
  );
});

t.test('members that come before their cluster are passed over, and sent again when it asks for them', async (t) => {
  const bench = started();
  t.same(bench.respond('eds', { a: assignment('a', 1) }), []);
  t.same(bench.held('eds'), []);
  bench.respond('cds', { a: edsCluster('a') });
  t.same(
    bench.calls.filter((call) => call.includes('eds')),
    ['+eds a'],
  );
  bench.respond('eds', { a: assignment('a', 1) });
  t.same(portsOf(bench.snapshot, 'a'), [1]);
});

t.test('clusters of one service share its members', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a', { service: 's' }), b: edsCluster('b', { service: 's' }) });
  bench.respond('eds', { s: assignment('s', 1) });
  t.equal(bench.snapshot.assignments.get('a'), bench.snapshot.assignments.get('b'));
  bench.respond('cds', {}, ['a']);
  t.ok(bench.subscriptions.has('eds s'), 'as long as one is there');
  bench.respond('eds', { s: assignment('s', 2) });
  t.same(portsOf(bench.snapshot, 'b'), [2]);
  bench.respond('cds', {}, ['b']);
  t.notOk(bench.subscriptions.has('eds s'));
});

t.test('a cluster changes its kind', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('eds', { a: assignment('a', 1) });
  bench.respond('cds', { a: staticCluster('a', 2) });
  t.same(portsOf(bench.snapshot, 'a'), [2]);
  t.notOk(bench.subscriptions.has('eds a'));
  bench.respond('cds', { a: edsCluster('a') });
  t.same(portsOf(bench.snapshot, 'a'), [2], 'back to EDS it warms');
  bench.respond('eds', { a: assignment('a', 1) });
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  bench.respond('cds', { a: '{name: a, type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED}' });
  t.notOk(bench.snapshot.assignments.has('a'), 'connections bring their destination');
});

t.test('a DNS cluster serves at once, with the members of its older state until DNS found others', async (t) => {
  const bench = started();
  bench.respond('cds', { a: staticCluster('a', 1) });
  bench.respond('cds', { a: '{name: a, type: STRICT_DNS, load_assignment: {cluster_name: a}}' });
  t.equal(bench.snapshot.clusters.get('a')?.discovery.kind, 'strict-dns');
  t.same(bench.changes.at(-1)?.assignments, { set: [], removed: [] });
  bench.respond('cds', { a: staticCluster('a', 1) });
  t.same(bench.changes.at(-1)?.assignments.set.length, 1, 'a static one has its own again');
});

t.test('the removal of members in use is ignored: the last state serves', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('eds', { a: assignment('a', 1) });
  bench.respond('eds', {}, ['a']);
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  t.same(bench.held('eds'), ['a']);
});

t.test('a removed cluster that nothing names leaves at once', async (t) => {
  const bench = started();
  bench.respond('cds', { a: staticCluster('a', 1) });
  bench.respond('cds', {}, ['a']);
  t.notOk(bench.snapshot.clusters.has('a') || bench.snapshot.assignments.has('a'));
  t.same(bench.states('cds'), []);
});

t.test('a removed cluster that routes name leaves when none does', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a'), b: staticCluster('b', 2) });
  bench.respond('eds', { a: assignment('a', 1) });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r', 'a') });
  bench.respond('cds', {}, ['a']);
  t.same(bench.states('cds'), ['a draining', 'b active']);
  t.same(bench.held('cds'), ['b'], 'the control plane is not told of it any more');
  bench.respond('eds', { a: assignment('a', 3) });
  t.same(portsOf(bench.snapshot, 'a'), [3], 'its members are followed');
  bench.respond('rds', { r: routeTable('r', 'b') });
  t.notOk(bench.snapshot.clusters.has('a'));
  t.notOk(bench.subscriptions.has('eds a'));
});

t.test('a removed cluster that a tcp_proxy names leaves after ten seconds at most', async (t) => {
  const bench = started();
  bench.respond('cds', { a: staticCluster('a', 1) });
  bench.respond('lds', { l: tcpListener('l', 1000, 'a') });
  bench.respond('cds', {}, ['a']);
  bench.pass(9_999);
  t.ok(bench.snapshot.clusters.has('a'));
  bench.pass(1);
  t.notOk(bench.snapshot.clusters.has('a'));
});

t.test('a cluster that comes back while it leaves stays', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('eds', { a: assignment('a', 1) });
  bench.respond('lds', { l: tcpListener('l', 1000, 'a') });
  bench.respond('cds', {}, ['a']);
  bench.respond('cds', { a: edsCluster('a') });
  bench.pass(60_000);
  t.same(portsOf(bench.snapshot, 'a'), [1]);
  t.same(bench.states('cds'), ['a active']);
  t.same(bench.held('cds'), ['a']);
});

t.test('a cluster has the source address of the bootstrap unless it has one of its own', async (t) => {
  const defaultBindAddress = { kind: 'ip', ip: '127.0.0.6', port: 0 } as const;
  const bench = new AssemblyBench({ defaultBindAddress }).startEmpty();
  bench.respond('cds', { a: staticCluster('a', 1) });
  t.same(bench.snapshot.clusters.get('a')?.bindAddress, defaultBindAddress);
});

t.test('a cluster is refused whose members cannot come, and one with the name of a static one', async (t) => {
  const bench = started();
  const grpc = 'api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: x}}]';
  t.same(
    bench.respond('cds', {
      a: `{name: a, type: EDS, eds_cluster_config: {eds_config: {api_config_source: {${grpc}}}}}`,
      b: staticCluster('b', 1),
    }),
    ['a: eds_cluster_config.eds_config: there is no static cluster "x" for gRPC'],
  );
  t.same([...bench.snapshot.clusters.keys()], ['b'], 'the good ones of the response are taken');
  t.same(bench.states('cds'), ['a refused', 'b active']);
  const statics = new AssemblyBench({ clusters: [bench.snapshot.clusters.get('b')!] }).startEmpty();
  t.same(statics.respond('cds', { b: staticCluster('b', 2) }), [
    'b: name: is the name of a static cluster, which a control plane may not change',
  ]);
  t.same(portsOf(statics.snapshot, 'b'), [1]);
});
