import t from 'tap';
import { decodeGrpcCluster } from '../../../xds/decode/grpc-cluster.ts';
import type { Cluster } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const cluster = (fields: string) =>
  decodedAs('envoy.config.cluster.v3.Cluster', `{name: c, ${fields}}`, (message: Cluster, problems) =>
    decodeGrpcCluster(message, problems),
  );
const endpoint = (address: string, port: number) =>
  `{endpoint: {address: {socket_address: {address: ${address}, port_value: ${port}}}}}`;
const members = (...endpoints: readonly string[]) =>
  `load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [${endpoints.join(', ')}]}]}`;
const one = members(endpoint('127.0.0.1', 1));

t.test('endpoints are tried by priority, then as listed', async (t) => {
  const locality = (priority: number, ...ports: readonly number[]) =>
    `{priority: ${priority}, lb_endpoints: [${ports.map((port) => endpoint('127.0.0.1', port)).join(', ')}]}`;
  const { value, problems } = cluster(
    `load_assignment: {cluster_name: c, endpoints: [${locality(1, 3)}, ${locality(0, 1, 2)}]}, connect_timeout: 2s`,
  );
  t.same(problems, []);
  t.same(value, {
    name: 'c',
    endpoints: [1, 2, 3].map((port) => ({ kind: 'ip', ip: '127.0.0.1', port })),
    connectTimeoutMs: 2000,
  });
});

t.test('endpoints may have names and be Unix sockets', async (t) => {
  t.match(cluster(`type: STRICT_DNS, ${members(endpoint('istiod.example', 2))}`).value, {
    endpoints: onlyItems({ kind: 'host', hostname: 'istiod.example', port: 2 }),
    connectTimeoutMs: 5000,
  });
  t.same(cluster(`type: LOGICAL_DNS, ${members(endpoint('istiod.example', 2))}`).problems, []);
  t.match(cluster(members('{endpoint: {address: {pipe: {path: /a}}}}')).value, {
    endpoints: onlyItems({ kind: 'pipe', path: '/a' }),
  });
});

t.test('HTTP/2 in both places, with its keep-alive', async (t) => {
  const options = '{initial_stream_window_size: 65536, connection_keepalive: {interval: 30s, timeout: 5s}}';
  const typed = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  const keepAlive = { intervalMs: 30_000, timeoutMs: 5000 };
  const typedOptions = `{${typed}: {"@type": a/${typed}, explicit_http_config: {http2_protocol_options: ${options}}}}`;
  for (const fields of [`http2_protocol_options: ${options}`, `typed_extension_protocol_options: ${typedOptions}`]) {
    const { value, problems } = cluster(`${one}, ${fields}`);
    t.same(problems, []);
    t.same(value?.keepAlive, keepAlive);
  }
});

t.test('TLS and clear text are transport sockets', async (t) => {
  const socket = (type: string, fields = '') =>
    cluster(
      `${one}, transport_socket: {name: t, typed_config: {"@type": a/envoy.extensions.transport_sockets.${type}${fields}}}`,
    );
  const roots = ', common_tls_context: {validation_context: {trusted_ca: {filename: /root.pem}}}';
  const { value, problems } = socket('tls.v3.UpstreamTlsContext', roots);
  t.same(problems, []);
  t.same(value?.tls, { roots: { kind: 'file', path: '/root.pem' }, subjectAltNames: [] });
  t.same(socket('raw_buffer.v3.RawBuffer').value?.tls, undefined);
  t.matchOnly(socket('tls.v3.UpstreamTlsContext').problems, [
    /^transport_socket\.typed_config\.common_tls_context\.validation_context: /,
  ]);
  t.matchOnly(socket('quic.v3.QuicUpstreamTransport').problems, [
    /^transport_socket\.typed_config: transport socket .* is not/,
  ]);
});

t.test('what calls cannot have is refused', async (t) => {
  t.matchOnly(cluster('type: EDS, eds_cluster_config: {eds_config: {ads: {}}}').problems, [/^type: .*write STATIC/]);
  t.matchOnly(cluster('type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED').problems, [/^type: .*write STATIC/]);
  t.matchOnly(cluster('type: STATIC').problems, [/^load_assignment: an endpoint is required/]);
  t.matchOnly(cluster(`${one}, upstream_bind_config: {source_address: {address: 127.0.0.1, port_value: 0}}`).problems, [
    /^upstream_bind_config: a source address of calls to a control plane is not supported$/,
  ]);
  const resolver = 'dns_resolvers: [{socket_address: {address: 127.0.0.1, port_value: 53}}]';
  t.matchOnly(cluster(`type: STRICT_DNS, ${members(endpoint('a', 1))}, ${resolver}`).problems, [
    /a resolver of its own/,
  ]);
});
