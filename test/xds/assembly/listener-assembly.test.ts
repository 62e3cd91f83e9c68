import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import {
  AssemblyBench,
  assignment,
  edsCluster,
  inlineListener,
  rdsListener,
  routeTable,
  staticCluster,
  tcpListener,
  tracedListener,
} from '../../support/assembly-bench.ts';

const started = (options: ConstructorParameters<typeof AssemblyBench>[0] = {}) =>
  new AssemblyBench(options).startEmpty();
const portOf = (listener: Listener | undefined) => listener?.address.kind === 'ip' && listener.address.port;

t.test('a listener whose routes are written in place serves at once', async (t) => {
  const bench = started();
  t.same(bench.respond('lds', { l: inlineListener('l', 1000) }), []);
  t.ok(bench.snapshot.listeners.has('l'));
  t.same([...bench.prepared], [['l', '127.0.0.1:1000']], 'its sockets were opened before');
});

t.test('a listener warms until all its routes are there', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r1', 'r2') });
  bench.respond('rds', { r1: routeTable('r1') });
  t.notOk(bench.snapshot.listeners.has('l'));
  t.same(bench.states('lds'), ['l warming']);
  bench.respond('rds', { r2: routeTable('r2') });
  t.same([...bench.snapshot.listeners.keys(), ...bench.snapshot.routes.keys()], ['l', 'r1', 'r2']);
  t.same(bench.states('lds'), ['l active']);
});

t.test('a listener serves without the routes that did not come within their time', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.absent('rds', 'r');
  t.ok(bench.snapshot.listeners.has('l'));
  t.notOk(bench.snapshot.routes.has('r'));
  bench.respond('rds', { r: routeTable('r') });
  t.ok(bench.snapshot.routes.has('r'));
});

t.test('refused routes are not waited for, unless an older state of the listener serves', async (t) => {
  const bench = started();
  const wrong = (name: string) => `{name: ${name}, virtual_hosts: [{name: h, domains: [x, x]}]}`;
  bench.respond('lds', { l: rdsListener('l', 1000, 'r1') });
  t.matchOnly(bench.respond('rds', { r1: wrong('r1') }), [/domain "x" exists already/]);
  t.ok(bench.snapshot.listeners.has('l'));
  bench.respond('lds', { l: rdsListener('l', 1001, 'r2') });
  bench.respond('rds', { r2: wrong('r2') });
  t.equal(portOf(bench.snapshot.listeners.get('l')), 1000);
});

t.test('the older state serves while a newer one waits for its routes', async (t) => {
  const bench = started({ drainTimeMs: 1_000 });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r1') });
  bench.respond('rds', { r1: routeTable('r1') });
  bench.respond('lds', { l: rdsListener('l', 1001, 'r2') });
  t.equal(portOf(bench.snapshot.listeners.get('l')), 1000);
  t.ok(bench.subscriptions.has('rds r1') && bench.subscriptions.has('rds r2'));
  bench.respond('rds', { r2: routeTable('r2') });
  t.equal(portOf(bench.snapshot.listeners.get('l')), 1001);
  t.ok(bench.snapshot.routes.has('r1'), 'connections that are drained still find their routes');
  bench.pass(1_000);
  t.notOk(bench.snapshot.routes.has('r1') || bench.subscriptions.has('rds r1'));
  t.ok(bench.snapshot.routes.has('r2'));
});

t.test('a listener that changes its routes again while it warms lets go of those between', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r1') });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r2') });
  t.notOk(bench.subscriptions.has('rds r1'));
  bench.respond('lds', { l: rdsListener('l', 1000, 'r1') });
  t.same(
    bench.calls.filter((call) => call.endsWith('r1')),
    ['+rds r1', '-rds r1', '+rds r1'],
  );
  bench.respond('rds', { r1: routeTable('r1') });
  t.ok(bench.snapshot.listeners.has('l'));
});

t.test('routes of several listeners are let go with the last one', async (t) => {
  const bench = started({ drainTimeMs: 10 });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r'), m: rdsListener('m', 1001, 'r') });
  bench.respond('rds', { r: routeTable('r') });
  bench.respond('lds', {}, ['l']);
  bench.pass(10);
  t.ok(bench.snapshot.routes.has('r'));
  bench.respond('lds', {}, ['m']);
  bench.pass(10);
  t.notOk(bench.snapshot.routes.has('r') || bench.subscriptions.has('rds r'));
});

t.test('a removed listener leaves at once, its routes when its connections are drained', async (t) => {
  const bench = started({ drainTimeMs: 1_000 });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r') });
  bench.respond('lds', {}, ['l']);
  t.notOk(bench.snapshot.listeners.has('l'));
  t.ok(bench.snapshot.routes.has('r'));
  t.same(bench.states('lds'), ['l draining']);
  bench.pass(1_000);
  t.notOk(bench.snapshot.routes.has('r'));
  t.same(bench.states('lds'), []);
});

t.test('a listener that comes back while its connections are drained stays', async (t) => {
  const bench = started({ drainTimeMs: 1_000 });
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('rds', { r: routeTable('r') });
  bench.respond('lds', {}, ['l']);
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  t.ok(bench.snapshot.listeners.has('l'), 'at once: its routes are held');
  bench.pass(1_000);
  t.same(bench.states('lds'), ['l active']);
  t.ok(bench.snapshot.routes.has('r'));
  t.matchOnly(bench.respond('lds', { m: inlineListener('m', 1000) }), [/is the address of listener "l" already/]);
});

t.test(
  'a listener whose log cannot be opened is refused before its sockets are opened, and an older state serves on',
  async (t) => {
    const bench = started();
    bench.respond('lds', { l: inlineListener('l', 1000) });
    bench.unopenedLogs.set('l', 'no such log').set('m', 'no such log');
    const refused = bench.respond('lds', { l: inlineListener('l', 1001), m: inlineListener('m', 1002) });
    t.same(refused, ['l: : no such log', 'm: : no such log']);
    t.same([...bench.prepared], [['l', '127.0.0.1:1000']]);
    t.same([...bench.snapshot.listeners.keys()], ['l']);
    bench.unopenedLogs.clear();
    t.same(bench.respond('lds', { l: inlineListener('l', 1001), m: inlineListener('m', 1002) }), []);
  },
);

t.test('a listener that is removed while it warms closes its sockets', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  bench.respond('lds', {}, ['l']);
  t.same([...bench.prepared], []);
  t.same(bench.states('lds'), []);
  t.notOk(bench.subscriptions.has('rds r'));
  t.same(bench.respond('lds', { m: inlineListener('m', 1000) }), [], 'its address is free');
});

t.test('a listener waits for the clusters that it names itself and that are warming', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a'), b: edsCluster('b') });
  bench.respond('lds', { tcp: tcpListener('tcp', 1000, 'a'), http: inlineListener('http', 1001, 'b') });
  t.same([...bench.snapshot.listeners.keys()], []);
  bench.respond('eds', { a: assignment('a', 1) });
  t.same([...bench.snapshot.listeners.keys()], ['tcp']);
  bench.pass(5_000);
  t.same([...bench.snapshot.listeners.keys()], ['tcp', 'http'], 'five seconds at most');
});

t.test('… and for those that its telemetry is sent to, which stay as long as it names them', async (t) => {
  const bench = started();
  bench.respond('cds', { a: edsCluster('a') });
  bench.respond('lds', { l: tracedListener('l', 1000, 'a') });
  t.same([...bench.snapshot.listeners.keys()], []);
  bench.respond('eds', { a: assignment('a', 1) });
  t.same([...bench.snapshot.listeners.keys()], ['l']);
  bench.respond('cds', {}, ['a']);
  t.ok(bench.snapshot.clusters.has('a'), 'its last spans are still to be sent');
  bench.respond('lds', { l: tracedListener('l', 1000) });
  t.notOk(bench.snapshot.clusters.has('a'));
});

t.test('a collector that exists nowhere is not waited for', async (t) => {
  const bench = started();
  t.same(bench.respond('lds', { l: tracedListener('l', 1000, 'nowhere') }), []);
  t.same([...bench.snapshot.listeners.keys()], ['l']);
});

t.test("a listener that names no provider gets the bootstrap's", async (t) => {
  const service = { kind: 'http', cluster: 'a', uri: 'http://a/', timeoutMs: 1, headers: [] } as const;
  const options = { encoding: 'json', traceId128Bit: true, sharedSpanContext: false, alsoW3c: false } as const;
  const bench = started({ traceProvider: { kind: 'zipkin', name: 'fallback', service, ...options } });
  bench.respond('lds', { l: tracedListener('l', 1000), m: tracedListener('m', 1001, 'b') });
  const names = [...bench.snapshot.listeners.values()].map(({ filterChains }) => {
    const filter = filterChains[0]?.filters[0];
    return filter?.kind === 'http-connection-manager' && filter.config.tracing?.provider?.name;
  });
  t.same(names, ['fallback', 'own']);
});

t.test('two listeners on one address: the second is refused by name and address', async (t) => {
  const bench = started();
  t.same(bench.respond('lds', { l: inlineListener('l', 1000), m: inlineListener('m', 1000) }), [
    'm: address: 127.0.0.1:1000 is the address of listener "l" already',
  ]);
  t.same([...bench.snapshot.listeners.keys()], ['l']);
  t.same(bench.respond('lds', { l: inlineListener('l', 1001), m: inlineListener('m', 1002) }), []);
  t.matchOnly(bench.respond('lds', { l: inlineListener('l', 1002), m: inlineListener('m', 1001) }), [
    /^l: address: 127.0.0.1:1002 is the address of listener "m"/,
    /^m: address: 127.0.0.1:1001 is the address of listener "l"/,
  ]);
  t.same([...bench.snapshot.listeners.values()].map(portOf), [1001, 1002], 'a swap is refused, both stay');
});

t.test('what was refused is tried anew each time that it is sent, though not a byte of it is another', async (t) => {
  const bench = started();
  bench.respond('lds', { l: inlineListener('l', 1000) });
  const refusal = /^m: address: .* is the address of listener "l" already$/;
  for (let time = 0; time < 2; time++) t.matchOnly(bench.respond('lds', { m: inlineListener('m', 1000) }), [refusal]);
  bench.respond('lds', {}, ['l']);
  t.same(bench.states('lds'), ['l draining', 'm refused'], 'nobody but the control plane tries it again');
  t.same(bench.respond('lds', { m: inlineListener('m', 1000) }), []);
  t.same([...bench.snapshot.listeners.keys()], ['m']);
});

t.test('an address that another listener leaves in the same response is free', async (t) => {
  const bench = started();
  bench.respond('lds', { l: inlineListener('l', 1000) });
  t.same(bench.respond('lds', { m: inlineListener('m', 1000) }, ['l']), []);
  t.same([...bench.snapshot.listeners.keys()], ['m']);
});

t.test('an address that cannot be bound is a refusal, and the older state stays', async (t) => {
  const bench = started();
  bench.takenPorts.add(2000);
  bench.respond('lds', { l: inlineListener('l', 1000) });
  t.same(bench.respond('lds', { l: inlineListener('l', 2000) }), ['l: address: port 2000 is taken']);
  t.equal(portOf(bench.snapshot.listeners.get('l')), 1000);
  t.same(bench.held('lds'), ['l']);
  bench.takenPorts.clear();
  t.same(bench.respond('lds', { l: inlineListener('l', 2000) }), [], 'sent again it is tried again');
  t.same(bench.respond('lds', { m: inlineListener('m', 1000) }), [], 'the address before is free');
});

t.test('a listener is refused whose routes cannot come, and one with the name of a static one', async (t) => {
  const bench = started();
  const grpc = 'api_type: DELTA_GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: x}}]';
  const l = rdsListener('l', 1000, 'r').replace('{ads: {}}', `{api_config_source: {${grpc}}}`);
  t.same(bench.respond('lds', { l, m: inlineListener('m', 1001) }), [
    'l: filter_chains: route configuration "r": there is no static cluster "x" for gRPC',
  ]);
  const statics = started({ listeners: [bench.snapshot.listeners.get('m')!] });
  t.same(statics.respond('lds', { m: inlineListener('m', 1002) }), [
    'm: name: is the name of a static listener, which a control plane may not change',
  ]);
});

t.test('routes of one name come from one source', async (t) => {
  const bench = started();
  bench.respond('lds', { l: rdsListener('l', 1000, 'r') });
  const m = rdsListener('m', 1001, 'r').replace('{ads: {}}', '{path: /routes.yaml}');
  t.same(bench.respond('lds', { m }), [
    'm: filter_chains: route configuration "r" comes from ads already, for another listener',
  ]);
});

t.test('a cluster that only an older state of a listener named leaves with it', async (t) => {
  const bench = started();
  bench.respond('cds', { a: staticCluster('a', 1), b: staticCluster('b', 2) });
  bench.respond('lds', { l: tcpListener('l', 1000, 'a') });
  bench.push('lds', { l: tcpListener('l', 1000, 'b') });
  bench.push('cds', {}, ['a']);
  bench.turn();
  t.same([...bench.snapshot.clusters.keys()], ['b']);
});
