import t from 'tap';
import { decodeBootstrap } from '../../xds/decode-bootstrap.ts';
import type { Bootstrap } from '../../xds/generated/messages.ts';
import { decodedAs } from '../support/config-fixtures.ts';

const bootstrap = (fields: string) =>
  decodedAs('envoy.config.bootstrap.v3.Bootstrap', `{${fields}}`, (message: Bootstrap, problems) =>
    decodeBootstrap(message, {}, problems),
  );
const filter =
  '{name: f, typed_config: {"@type": a/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}';
const at = (port: number, ip = '127.0.0.1') => `{socket_address: {address: "${ip}", port_value: ${port}}}`;
const listener = (name: string, address: string, more = '') =>
  `{name: ${name}, address: ${address}, filter_chains: [{filters: [${filter}]}]${more}}`;
const listeners = (...list: readonly string[]) => bootstrap(`static_resources: {listeners: [${list.join(', ')}]}`);

t.test('an empty bootstrap has nothing', async (t) => {
  t.same(bootstrap(''), {
    value: {
      node: { id: '', cluster: '', locality: { region: '', zone: '', subZone: '' }, metadata: {} },
      listeners: [],
      clusters: [],
      runtime: new Map(),
      runtimeLayers: [],
      stats: { histogramBuckets: [], rejectAll: false },
    },
    problems: [],
  });
});

t.test('the parts are put together', async (t) => {
  const { value, problems } = bootstrap(
    `node: {id: n}, admin: {address: ${at(1)}}, layered_runtime: {layers: [{name: r, static_layer: {overload: {global_downstream_max_connections: 9}}}]}, cluster_manager: {upstream_bind_config: {source_address: {address: 127.0.0.2, port_value: 0}}}, static_resources: {listeners: [${listener('l', at(2))}], clusters: [{name: c}]}`,
  );
  t.same(problems, []);
  t.match(value, {
    node: { id: 'n' },
    admin: { address: { port: 1 } },
    listeners: [{ name: 'l' }],
    clusters: [{ name: 'c', bindAddress: { ip: '127.0.0.2' } }],
    maxDownstreamConnections: 9,
  });
});

t.test('names are unique', async (t) => {
  t.same(bootstrap('static_resources: {clusters: [{name: c}, {name: c}]}').problems, [
    'static_resources.clusters[1].name: cluster "c" exists already: static_resources.clusters[0]',
  ]);
  t.same(listeners(listener('l', at(1)), listener('l', at(2))).problems, [
    'static_resources.listeners[1].name: listener "l" exists already: static_resources.listeners[0]',
  ]);
});

t.test('no two listeners have one address', async (t) => {
  const problem = (address: string, place = 'address') =>
    `static_resources.listeners[1].${place}: ${address} is the address of listeners[0] already`;
  t.same(listeners(listener('l', at(1)), listener('m', at(1))).problems, [problem('127.0.0.1:1')]);
  t.same(listeners(listener('l', at(1, '::1')), listener('m', at(1, '0:0::1'))).problems, [problem('[::1]:1')]);
  t.same(
    listeners(listener('l', at(1)), listener('m', at(2), `, additional_addresses: [{address: ${at(1)}}]`)).problems,
    [problem('127.0.0.1:1', 'additional_addresses[0].address')],
  );
  t.same(listeners(listener('l', '{pipe: {path: /a}}'), listener('m', '{pipe: {path: /a}}')).problems, [problem('/a')]);
  t.same(listeners(listener('l', at(0)), listener('m', at(0))).problems, [], 'port 0 is a new one each time');
  t.same(listeners(listener('l', at(1, '0.0.0.0')), listener('m', at(1))).problems, [], 'the kernel tells them apart');
});
