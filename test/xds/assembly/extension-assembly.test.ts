import t from 'tap';
import type { HttpConnectionManager } from '../../../config/http-connection-manager.ts';
import {
  AssemblyBench,
  alpnConfig,
  assignment,
  discoveringListener,
  discovery,
  edsCluster,
  extensionConfig,
  inlineListener,
  rdsListener,
  routeTable,
  tcpListener,
} from '../../support/assembly-bench.ts';
import { onlyItems } from '../../support/only-items.ts';

const started = (options: ConstructorParameters<typeof AssemblyBench>[0] = {}) =>
  new AssemblyBench(options).startEmpty();
const tcpProxyType = 'envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
const corsType = 'envoy.extensions.filters.http.cors.v3.Cors';
const withDefault = `default_config: ${alpnConfig('by-default')}`;
const alpn = (name: string, protocol: string) => ({ [name]: extensionConfig(name, alpnConfig(protocol)) });

function managerOf(bench: AssemblyBench, listener = 'l'): HttpConnectionManager | undefined {
  const filter = bench.snapshot.listeners.get(listener)?.filterChains[0]?.filters.at(-1);
  return filter?.kind === 'http-connection-manager' ? filter.config : undefined;
}

const offered = (bench: AssemblyBench) => managerOf(bench)?.alpnOverride?.http11;
const answersAlone = (bench: AssemblyBench) => {
  const routes = managerOf(bench)?.routes;
  return routes?.kind === 'inline' && routes.routes.virtualHosts[0]?.routes[0]?.action;
};

t.test('a listener warms until what its filters discover is there', async (t) => {
  const bench = started();
  t.same(bench.respond('lds', { l: discoveringListener('l', 1000, { f: '', g: '' }) }), []);
  t.ok(bench.subscriptions.has('ecds f') && bench.subscriptions.has('ecds g'));
  t.same([...bench.prepared.keys()], ['l'], 'its sockets are opened meanwhile');
  t.same(bench.states('lds'), ['l warming']);
  t.equal(bench.assembler.warming.listeners, 1);
  bench.respond('ecds', alpn('f', 'one'));
  t.notOk(bench.snapshot.listeners.has('l'));
  const stats = '{"@type": t/envoy.extensions.filters.http.istio_stats.v3.PluginConfig}';
  t.matchOnly(bench.respond('ecds', { g: extensionConfig('g', stats) }), [/^g: typed_config: is envoy.*allows istio/]);
  t.match(answersAlone(bench), { status: 500 }, 'what was refused does not come: there is no older state to keep');
  t.same(bench.states('lds'), ['l active']);
  t.equal(bench.assembler.warming.listeners, 0);
});

t.test('a configuration that changes makes the listener anew, over and over', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  for (const protocol of ['one', 'two', 'three']) {
    t.same(bench.respond('ecds', alpn('f', protocol)), []);
    t.same(offered(bench), [protocol]);
  }
  t.same(
    bench.calls.filter((call) => call.includes('ecds')),
    ['+ecds f'],
  );
});

t.test('without a configuration in time the default serves, and without a default 500', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: withDefault }) });
  t.notOk(bench.snapshot.listeners.has('l'), 'it is waited for');
  bench.absent('ecds', 'f');
  t.same(offered(bench), ['by-default']);
  bench.respond('lds', { l: discoveringListener('l', 1000, { g: '' }) });
  bench.absent('ecds', 'g');
  t.match(answersAlone(bench), { kind: 'direct-response', status: 500 });
  bench.respond('ecds', alpn('g', 'late'));
  t.same(offered(bench), ['late'], 'it may come later');
  t.notMatch(answersAlone(bench), { kind: 'direct-response' });
});

t.test('apply_default_config_without_warming serves with the default at once', async (t) => {
  const bench = started();
  const fields = `${withDefault}, apply_default_config_without_warming: true`;
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: fields }) });
  t.same(offered(bench), ['by-default']);
  bench.respond('ecds', alpn('f', 'late'));
  t.same(offered(bench), ['late']);
});

t.test('a configuration that is removed leaves the default in its place, or 500', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: withDefault }) });
  bench.respond('ecds', alpn('f', 'one'));
  bench.respond('ecds', {}, ['f']);
  t.same(offered(bench), ['by-default']);
  bench.respond('lds', { l: discoveringListener('l', 1000, { g: '' }) });
  bench.respond('ecds', alpn('g', 'one'));
  bench.respond('ecds', {}, ['g']);
  t.match(answersAlone(bench), { kind: 'direct-response', status: 500 });
});

t.test(
  'routes are kept where a filter is missing, as in Envoy, and serve at once when it is there again',
  async (t) => {
    const bench = started({ drainTimeMs: 10 });
    const filter = `http_filters: [{name: f, ${discovery()}}, `;
    bench.respond('lds', { l: rdsListener('l', 1000, 'r').replace('http_filters: [', filter) });
    bench.respond('ecds', alpn('f', 'one'));
    bench.respond('rds', { r: routeTable('r') });
    bench.respond('ecds', {}, ['f']);
    t.match(answersAlone(bench), { kind: 'direct-response', status: 500 });
    bench.pass(10);
    t.ok(bench.subscriptions.has('rds r'));
    bench.respond('ecds', alpn('f', 'two'));
    t.match(managerOf(bench), { routes: { kind: 'rds', name: 'r' } });
    t.ok(bench.snapshot.routes.has('r'));
    bench.respond('lds', {}, ['l']);
    bench.pass(10);
    t.notOk(bench.subscriptions.has('rds r'), 'until the listener is gone');
  },
);

t.test('a refused configuration leaves the last one in use', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  bench.respond('ecds', alpn('f', 'one'));
  t.same(bench.respond('ecds', alpn('f', 'h2')), [
    'f: : in listener "l", filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.alpn_override[0]' +
      '.alpn_override[0]: h2 is not supported; it is not HTTP/1.1',
  ]);
  t.same(offered(bench), ['one']);
  t.same(bench.held('ecds'), ['f']);
});

t.test('a listener is refused for types that are not supported, and for what contradicts itself', async (t) => {
  const bench = started();
  const rbac = 't/envoy.extensions.filters.http.rbac.v3.RBAC';
  const path = 'filter_chains[0].filters[0].typed_config.http_filters[0].config_discovery';
  const refusal = (fields: string) => bench.respond('lds', { l: discoveringListener('l', 1000, { f: fields }) });
  t.same(refusal(`type_urls: ["${rbac}"]`), [
    `l: ${path}.type_urls[0]: envoy.extensions.filters.http.rbac.v3.RBAC is not supported; keep on Envoy what needs it`,
  ]);
  t.matchOnly(refusal('type_urls: []'), [/type_urls/]);
  t.matchOnly(refusal('apply_default_config_without_warming: true'), [/without_warming: needs a default_config/]);
  const router = '{"@type": t/envoy.extensions.filters.http.router.v3.Router}';
  t.matchOnly(refusal(`default_config: ${router}`), [
    /default_config: is .*Router, which is not among type_urls/,
    /the router must be the last HTTP filter$/,
  ]);
  t.matchOnly(
    refusal('config_source: {api_config_source: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: x}}]}}'),
    [/^l: filter_chains: configuration of filter "f": there is no static cluster "x"/],
  );
  t.notOk([...bench.subscriptions].some((each) => each.startsWith('ecds')));
});

t.test('what is there already and does not go with a listener refuses the listener', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  bench.respond('ecds', alpn('f', 'one'));
  const own = `{name: own, typed_config: ${alpnConfig('own')}}, `;
  const twice = discoveringListener('m', 1001, { f: '' }).replace('http_filters: [', `http_filters: [${own}`);
  t.matchOnly(bench.respond('lds', { m: twice }), [/^m: .*may be there once/]);
  t.notOk(bench.snapshot.listeners.has('m'));
  bench.respond('lds', {}, ['l']);
  t.notOk(bench.subscriptions.has('ecds f'), 'only the listener that serves used it');
  t.same(bench.respond('lds', { n: inlineListener('n', 1001) }), [], 'its address is free');
});

t.test('the router may be discovered, and network filters with their routes', async (t) => {
  const bench = started({ drainTimeMs: 10 });
  const manager = /typed_config: (\{"@type": t\/envoy.extensions.filters.network.http.*\})\}\]\}\]\}$/.exec(
    rdsListener('l', 1000, 'r'),
  )![1]!;
  const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const types = `type_urls: [t/${managerType}, t/${tcpProxyType}]`;
  const whole = tcpListener('l', 1000, 'c').replace(/typed_config: \{.*?\}/, discovery(types));
  t.same(bench.respond('lds', { l: whole }), []);
  t.same(bench.respond('ecds', { tcp: extensionConfig('tcp', manager) }), []);
  t.ok(bench.subscriptions.has('rds r'));
  t.notOk(bench.snapshot.listeners.has('l'), 'it waits for its routes as another listener does');
  bench.respond('rds', { r: routeTable('r') });
  t.match(managerOf(bench), { routes: { kind: 'rds', name: 'r' }, httpFilters: onlyItems({ kind: 'router' }) });
  bench.respond('cds', { a: edsCluster('a') });
  const proxy = `{"@type": t/${tcpProxyType}, stat_prefix: p, cluster: a}`;
  t.same(bench.respond('ecds', { tcp: extensionConfig('tcp', proxy) }), []);
  t.ok(managerOf(bench), 'the older configuration serves until the cluster of the newer does');
  bench.respond('eds', { a: assignment('a', 1) });
  t.match(bench.snapshot.listeners.get('l'), {
    filterChains: onlyItems({ filters: onlyItems({ config: { clusters: onlyItems({ name: 'a' }) } }) }),
  });
  bench.pass(10);
  t.notOk(bench.subscriptions.has('rds r'));
  bench.respond('ecds', {}, ['tcp']);
  t.match(bench.snapshot.listeners.get('l'), {
    filterChains: onlyItems({
      filters: onlyItems({ config: { clusters: onlyItems({ name: 'configuration of the filter "missing"' }) } }),
    }),
  });
});

t.test('routes of a configuration that can come from nowhere refuse the configuration', async (t) => {
  const bench = started();
  const source = 'api_config_source: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: x}}]}';
  const manager = /typed_config: (\{"@type": t\/envoy.extensions.filters.network.http.*\})\}\]\}\]\}$/.exec(
    rdsListener('l', 1000, 'r').replace('{ads: {}}', `{${source}}`),
  )![1]!;
  const managerType = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
  const whole = tcpListener('l', 1000, 'c').replace(
    /typed_config: \{.*?\}/,
    discovery(`type_urls: [t/${managerType}]`),
  );
  bench.respond('lds', { l: whole });
  t.matchOnly(bench.respond('ecds', { tcp: extensionConfig('tcp', manager) }), [
    /^tcp: : in listener "l", filter_chains: route configuration "r": there is no static cluster "x"/,
  ]);
});

t.test('an older state serves as it is while a newer one waits for its configurations', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  bench.respond('ecds', alpn('f', 'one'));
  bench.respond('lds', { l: discoveringListener('l', 1001, { f: '', g: '' }) });
  t.same(bench.states('lds'), ['l warming']);
  bench.respond('ecds', alpn('f', 'two'));
  t.same(offered(bench), ['one']);
  t.match(bench.snapshot.listeners.get('l'), { address: { port: 1000 } });
  t.matchOnly(bench.respond('lds', { m: inlineListener('m', 1001) }), [/is the address of listener "l" already/]);
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  t.same(offered(bench), ['two']);
  t.notOk(bench.subscriptions.has('ecds g'));
  t.same(bench.respond('lds', { m: inlineListener('m', 1001) }), [], 'the address of the state between is free');
});

t.test('configurations are let go with the last listener that discovers them', async (t) => {
  const bench = started();
  const both = (name: string, port: number) => discoveringListener(name, port, { f: '' });
  bench.respond('lds', { l: both('l', 1000), m: both('m', 1001) });
  bench.respond('ecds', alpn('f', 'one'));
  bench.respond('lds', {}, ['l']);
  t.ok(bench.subscriptions.has('ecds f'));
  bench.respond('lds', { m: inlineListener('m', 1001) });
  t.notOk(bench.subscriptions.has('ecds f'));
  t.same(bench.states('ecds'), []);
});

t.test('a listener that is removed while it waits closes its sockets and lets go of all', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  bench.respond('lds', {}, ['l']);
  t.same([...bench.prepared], []);
  t.same(bench.states('lds'), []);
  t.notOk(bench.subscriptions.has('ecds f'));
  t.equal(bench.assembler.warming.listeners, 0);
});

t.test('two that cannot be together: the second is refused', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '', g: '' }) });
  t.matchOnly(bench.respond('ecds', { ...alpn('f', 'one'), ...alpn('g', 'two') }), [
    /^g: : in listener "l".*may be there once/,
  ]);
  t.same(bench.held('ecds'), ['f']);
});

t.test('what is counted of filters: where they are, reloads, and what another listener does not allow', async (t) => {
  const bench = started();
  bench.respond('lds', { l: discoveringListener('l', 1000, { f: '' }) });
  bench.respond('ecds', alpn('f', 'one'));
  bench.respond('ecds', alpn('f', 'one'));
  t.matchOnly(bench.respond('ecds', { f: extensionConfig('f', '{"@type": t/unknown.Type}') }), [/^f: /]);
  bench.respond('ecds', {}, ['f']);
  t.same(
    bench.observed.splice(0),
    ['http-filter f', 'reload ecds f', 'reload ecds f'],
    'the last time because it is gone',
  );
  bench.respond('ecds', alpn('f', 'two'));
  const otherType = discoveringListener('m', 1001, { f: '' }).replaceAll(
    /type_urls: \[[^\]]*\]/g,
    `type_urls: [t/${corsType}]`,
  );
  t.same(bench.respond('lds', { m: otherType }), []);
  t.same(bench.observed.splice(0), ['reload ecds f', 'http-filter f', 'conflict http-filter f']);
});
