import t from 'tap';
import { decodeListener } from '../../../xds/decode/listener.ts';
import type { Listener } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const filter =
  '{name: f, typed_config: {"@type": a/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy, stat_prefix: t, cluster: c}}';
const chains = `filter_chains: [{filters: [${filter}]}]`;
const address = 'address: {socket_address: {address: 127.0.0.1, port_value: 80}}';
const listener = (fields: string, runtime: ReadonlyMap<string, string | number> = new Map()) =>
  decodedAs('envoy.config.listener.v3.Listener', `{${fields}}`, (message: Listener, problems) =>
    decodeListener(message, runtime, problems),
  );
const serving = (fields: string) => listener(`${address}, ${chains}, ${fields}`);

t.test('a listener has the defaults, and the name of its address', async (t) => {
  const { value, problems } = serving('');
  t.same(problems, []);
  const { filterChains, ...rest } = value!;
  t.equal(filterChains.length, 1);
  t.same(rest, {
    name: '127.0.0.1:80',
    address: { kind: 'ip', ip: '127.0.0.1', port: 80 },
    additionalAddresses: [],
    statPrefix: '',
    bindToPort: true,
    reusePort: true,
    backlog: 65_535,
    ipv4Compatible: false,
    transparent: false,
    freebind: false,
    perConnectionBufferLimitBytes: 1_048_576,
    listenerFilters: [],
    listenerFiltersTimeoutMs: 15_000,
    continueOnListenerFiltersTimeout: false,
    useOriginalDst: false,
    trafficDirection: 'unspecified',
    accessLogs: [],
    ignoreGlobalConnectionLimit: false,
    maxConnectionsToAcceptPerTurn: 64,
    drainType: 'default',
  });
});

t.test('what a listener sets', async (t) => {
  const rows: readonly [fields: string, expected: object][] = [
    ['name: n, stat_prefix: s', { name: 'n', statPrefix: 's' }],
    ['bind_to_port: false', { bindToPort: false }],
    ['deprecated_v1: {bind_to_port: false}', { bindToPort: false }],
    ['enable_reuse_port: false, tcp_backlog_size: 5', { reusePort: false, backlog: 5 }],
    ['transparent: true, freebind: true', { transparent: true, freebind: true }],
    ['per_connection_buffer_limit_bytes: 7', { perConnectionBufferLimitBytes: 7 }],
    ['traffic_direction: INBOUND, drain_type: MODIFY_ONLY', { trafficDirection: 'inbound', drainType: 'modify-only' }],
    ['ignore_global_conn_limit: true', { ignoreGlobalConnectionLimit: true }],
    ['max_connections_to_accept_per_socket_event: 1', { maxConnectionsToAcceptPerTurn: 1 }],
    [
      'additional_addresses: [{address: {pipe: {path: /run/a}}}]',
      { additionalAddresses: onlyItems({ kind: 'pipe', path: '/run/a' }) },
    ],
    [
      `default_filter_chain: {filters: [${filter}]}`,
      { defaultFilterChain: { filters: onlyItems({ kind: 'tcp-proxy' }) } },
    ],
  ];
  for (const [fields, expected] of rows) t.match(serving(fields), { value: expected, problems: noItems }, fields);
});

t.test('use_original_dst brings the filter that finds the destination', async (t) => {
  const original = { useOriginalDst: true, listenerFilters: onlyItems({ kind: 'original-dst' }) };
  t.match(serving('use_original_dst: true').value, original);
  const type = 'a/envoy.extensions.filters.listener.original_dst.v3.OriginalDst';
  const filters = `listener_filters: [{name: o, typed_config: {"@type": ${type}}}]`;
  t.equal(serving(`use_original_dst: true, ${filters}`).value?.listenerFilters.length, 1);
  t.match(serving(filters).value, { ...original, useOriginalDst: false });
});

t.test('the limit of connections is a runtime value', async (t) => {
  const key = 'envoy.resource_limits.listener.n.connection_limit';
  const limit = (value: string | number) => listener(`name: n, ${address}, ${chains}`, new Map([[key, value]])).value;
  t.equal(limit(5)?.connectionLimit, 5);
  t.equal(limit('6')?.connectionLimit, 6);
  t.notOk('connectionLimit' in limit('many')!);
});

t.test('keep-alive is socket options', async (t) => {
  const options =
    'socket_options: [{level: 1, name: 9, int_value: 1}, {level: 6, name: 4, int_value: 10}, {level: 6, name: 5, int_value: 20}, {level: 6, name: 6, int_value: 3}]';
  t.same(serving(options).value?.keepAlive, { timeSeconds: 10, intervalSeconds: 20, probes: 3 });
  t.same(serving('socket_options: [{level: 1, name: 9, int_value: 1}]').value?.keepAlive, {});
  t.same(serving('socket_options: [{level: 1, name: 2, int_value: 1}]').problems, [
    'socket_options[0]: socket option 1/2 = 1 is not supported; only keep-alive options are',
  ]);
});

t.test('problems', async (t) => {
  t.same(listener(chains).problems, ['address: address is required']);
  t.same(listener(address).problems, ['filter_chains: a listener needs a filter chain']);
  t.same(listener(`${address}, filter_chains: [{filters: [${filter}]}, {filters: [${filter}]}]`).problems, [
    'filter_chains[1].filter_chain_match: matches the same connections as filter_chains[0]',
  ]);
});

t.test('an overload manager is bypassed by not counting for the limit of connections', async (t) => {
  const problems = (fields: string) => listener(`${address}, ${chains}, ${fields}`).problems;
  t.same(problems('bypass_overload_manager: true, ignore_global_conn_limit: true'), []);
  t.matchOnly(problems('bypass_overload_manager: true'), [
    /^bypass_overload_manager: .*set ignore_global_conn_limit too$/,
  ]);
});
