import t from 'tap';
import { decodeFilterChain } from '../../../xds/decode/filter-chain.ts';
import type { FilterChain } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const chain = (fields: string) =>
  decodedAs('envoy.config.listener.v3.FilterChain', `{${fields}}`, (message: FilterChain, problems) =>
    decodeFilterChain(message, problems),
  );
const filter = (type: string, fields: string) =>
  `{name: f, typed_config: {"@type": a/envoy.extensions.filters.network.${type}, ${fields}}}`;
const tcp = filter('tcp_proxy.v3.TcpProxy', 'stat_prefix: t, cluster: c');
const tcpList = `filters: [${tcp}]`;

t.test('a chain without a match takes any connection', async (t) => {
  const { value, problems } = chain(tcpList);
  t.same(problems, []);
  t.same(value.match, {
    prefixRanges: [],
    directSourcePrefixRanges: [],
    sourceType: 'any',
    sourcePrefixRanges: [],
    sourcePorts: [],
    serverNames: [],
    transportProtocol: '',
    applicationProtocols: [],
  });
  t.match(value, {
    name: '',
    filters: onlyItems({ kind: 'tcp-proxy', name: 'f' }),
    transportSocketConnectTimeoutMs: 0,
  });
});

t.test('what a match sets', async (t) => {
  const range = '{address_prefix: 10.0.0.0, prefix_len: 8}';
  const { value, problems } = chain(
    `name: n, ${tcpList}, filter_chain_match: {destination_port: 80, prefix_ranges: [${range}], direct_source_prefix_ranges: [${range}], source_type: EXTERNAL, source_prefix_ranges: [${range}], source_ports: [1, 2], server_names: [A.Example, "*.B"], transport_protocol: tls, application_protocols: [h2]}`,
  );
  const ranges = [{ ip: '10.0.0.0', prefixLength: 8 }];
  t.same(problems, []);
  t.equal(value.name, 'n');
  t.same(value.match, {
    destinationPort: 80,
    prefixRanges: ranges,
    directSourcePrefixRanges: ranges,
    sourceType: 'external',
    sourcePrefixRanges: ranges,
    sourcePorts: [1, 2],
    serverNames: ['a.example', '*.b'],
    transportProtocol: 'tls',
    applicationProtocols: ['h2'],
  });
});

const inert = '{name: i, typed_config: {"@type": a/envoy.extensions.filters.http.istio_stats.v3.PluginConfig}}';
const newerExchange =
  '{name: n, typed_config: {"@type": a/envoy.extensions.filters.network.metadata_exchange.v3.MetadataExchange, protocol: peer}}';
const exchange =
  '{name: x, typed_config: {"@type": a/envoy.tcp.metadataexchange.config.MetadataExchange, protocol: peer}}';
const stats = '{name: s, typed_config: {"@type": a/stats.PluginConfig, tcp_reporting_duration: 2s}}';

t.test('filters without effect stand before the terminal one, and are left out', async (t) => {
  const { value, problems } = chain(`filters: [${inert}, ${inert}, ${tcp}]`);
  t.same(problems, []);
  t.match(value.filters, onlyItems({ kind: 'tcp-proxy' }));
  t.equal(value.filters.length, 1);
});

t.test("Istio's metrics of TCP are the TCP proxy's", async (t) => {
  const { value, problems } = chain(`filters: [${stats}, ${tcp}]`);
  t.same(problems, []);
  t.match(value.filters, onlyItems({ kind: 'tcp-proxy', config: { istioStats: { tcpReportingIntervalMs: 2_000 } } }));
  t.same(chain(`filters: [${stats}, ${exchange}, ${stats}, ${tcp}]`).problems, [
    'filters[2]: stats.PluginConfig may be there once',
  ]);
});

t.test("Istio's exchange of metadata is one filter under its older name and its newer one", async (t) => {
  t.same(chain(`filters: [${newerExchange}, ${tcp}]`), chain(`filters: [${exchange}, ${tcp}]`));
  t.match(
    chain(`filters: [${newerExchange}, ${tcp}]`).value.filters,
    onlyItems({ kind: 'tcp-proxy', config: { metadataExchange: { protocol: 'peer' } } }),
  );
  t.same(chain(`filters: [${exchange}, ${newerExchange}, ${tcp}]`).problems, [
    'filters[1]: envoy.extensions.filters.network.metadata_exchange.v3.MetadataExchange may be there once',
  ]);
});

t.test("Istio's exchange of metadata is the TCP proxy's, and nothing to HTTP", async (t) => {
  const { value, problems } = chain(`filters: [${exchange}, ${tcp}]`);
  t.same(problems, []);
  t.match(
    value.filters,
    onlyItems({ kind: 'tcp-proxy', config: { metadataExchange: { protocol: 'peer', additionalLabels: noItems } } }),
  );
  t.same(chain(`filters: [${exchange}, ${exchange}, ${tcp}]`).problems, [
    'filters[1]: envoy.tcp.metadataexchange.config.MetadataExchange may be there once',
  ]);
  t.match(chain(`filters: [${exchange}]`).problems[0], /^filters: the last filter must be terminal/);
});

t.test('the last filter is terminal, and only the last', async (t) => {
  const rows: readonly [filters: string, problem: string | RegExp][] = [
    ['', /^filters: the last filter must be terminal, one of /],
    [stats, /^filters: the last filter must be terminal, one of /],
    [`${tcp}, ${stats}`, 'filters[0]: a terminal network filter must be the last of its filter chain'],
    [`${tcp}, ${tcp}`, 'filters[0]: a terminal network filter must be the last of its filter chain'],
    [filter('echo.v3.Echo', ''), /^filters\[0\]\.typed_config: network filter .*Echo is not supported/],
    ['{name: f}', /^filters\[0\]\.typed_config: typed_config is required/],
  ];
  for (const [filters, problem] of rows) t.match(chain(`filters: [${filters}]`).problems[0], problem);
});

t.test('problems', async (t) => {
  const rows: readonly [fields: string, problem: string | RegExp][] = [
    ['filter_chain_match: {server_names: ["a.*"]}', /server_names\[0\]: "a\.\*": a wildcard may only be/],
    ['filter_chain_match: {address_suffix: a}', /address_suffix is not supported/],
  ];
  for (const [fields, problem] of rows) t.matchOnly(chain(`${tcpList}, ${fields}`).problems, [problem]);
  const plain =
    'transport_socket: {name: t, typed_config: {"@type": a/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer}}';
  t.same(chain(`${tcpList}, ${plain}`).problems, []);
});

t.test('a chain with TLS has a certificate, and a time for its handshakes', async (t) => {
  const tls = (common: string) =>
    `transport_socket: {name: t, typed_config: {"@type": a/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {${common}}}}`;
  const { value, problems } = chain(
    `${tcpList}, ${tls('tls_certificate_sds_secret_configs: [{name: own}]')}, transport_socket_connect_timeout: 15s`,
  );
  t.same(problems, []);
  t.match(value, { transportSocketConnectTimeoutMs: 15_000, tls: { certificates: onlyItems({ name: 'own' }) } });
  t.matchOnly(chain(`${tcpList}, ${tls('')}`).problems, [
    /^transport_socket\.typed_config\.common_tls_context: one of tls_certificates, .* is required/,
  ]);
});
