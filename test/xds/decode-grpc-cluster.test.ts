import t from 'tap';
import { decodeGrpcCluster } from '../../xds/decode-grpc-cluster.ts';
import type { Cluster } from '../../xds/generated/messages.ts';
import { decodedAs } from '../support/config-fixtures.ts';

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
    endpoints: [{ kind: 'host', hostname: 'istiod.example', port: 2 }],
    connectTimeoutMs: 5000,
  });
  t.same(cluster(`type: LOGICAL_DNS, ${members(endpoint('istiod.example', 2))}`).problems, []);
  t.match(cluster(members('{endpoint: {address: {pipe: {path: /a}}}}')).value, {
    endpoints: [{ kind: 'pipe', path: '/a' }],
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

const tls = (fields: string, more = '') =>
  cluster(
    `${one}, transport_socket: {name: t, typed_config: {"@type": a/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: {${fields}}${more}}}`,
  );
const roots = 'trusted_ca: {filename: /root.pem}';

t.test('TLS', async (t) => {
  const certificate =
    'tls_certificates: [{certificate_chain: {filename: /chain.pem}, private_key: {environment_variable: KEY}}]';
  const names =
    'match_typed_subject_alt_names: [{san_type: DNS, matcher: {exact: a}}, {san_type: URI, matcher: {exact: "spiffe://t/a"}}]';
  const { value, problems } = tls(
    `${certificate}, alpn_protocols: [h2], validation_context: {${roots}, ${names}}`,
    ', sni: istiod.example',
  );
  t.same(problems, []);
  t.same(value?.tls, {
    roots: { kind: 'file', path: '/root.pem' },
    certificateChain: { kind: 'file', path: '/chain.pem' },
    privateKey: { kind: 'environment', variable: 'KEY' },
    sni: 'istiod.example',
    subjectAltNames: [
      { type: 'dns', value: 'a' },
      { type: 'uri', value: 'spiffe://t/a' },
    ],
  });
  t.same(tls('validation_context: {system_root_certs: {}}').value?.tls, { subjectAltNames: [] });
  const older = tls(`validation_context: {${roots}, match_subject_alt_names: [{exact: a}]}`).value?.tls;
  t.same(
    older?.subjectAltNames.map(({ type, value: name }) => `${type} ${name}`),
    ['email a', 'dns a', 'uri a', 'ip-address a'],
  );
});

t.test('a peer that nobody verifies is refused', async (t) => {
  const place = 'transport_socket.typed_config.common_tls_context';
  t.match(tls('').problems, [`${place}.validation_context: trusted_ca or system_root_certs is required`]);
  t.match(tls(`validation_context: {${roots}, trust_chain_verification: ACCEPT_UNTRUSTED}`).problems, [
    /trust_chain_verification: "ACCEPT_UNTRUSTED" is not supported; certificates are always verified$/,
  ]);
  t.match(
    tls(`validation_context: {${roots}, match_typed_subject_alt_names: [{san_type: DNS, matcher: {prefix: a}}]}`)
      .problems,
    [/match_typed_subject_alt_names\[0\]\.matcher: a matcher other than exact is not supported/],
  );
  t.match(tls(`validation_context: {${roots}, match_typed_subject_alt_names: [{matcher: {exact: a}}]}`).problems, [
    /match_typed_subject_alt_names\[0\]\.san_type: san_type must be one of EMAIL, DNS, URI, IP_ADDRESS$/,
  ]);
  t.match(tls(`validation_context: {${roots}}, tls_certificates: [{certificate_chain: {filename: /a}}]`).problems, [
    /tls_certificates\[0\]: certificate_chain and private_key belong together$/,
  ]);
});

t.test('what calls cannot have is refused', async (t) => {
  t.match(cluster('type: EDS, eds_cluster_config: {eds_config: {ads: {}}}').problems, [/^type: .*write STATIC/]);
  t.match(cluster('type: ORIGINAL_DST, lb_policy: CLUSTER_PROVIDED').problems, [/^type: .*write STATIC/]);
  t.match(cluster('type: STATIC').problems, [/^load_assignment: an endpoint is required/]);
  t.match(cluster(`${one}, upstream_bind_config: {source_address: {address: 127.0.0.1, port_value: 0}}`).problems, [
    /^upstream_bind_config: a source address of calls to a control plane is not supported$/,
  ]);
  const resolver = 'dns_resolvers: [{socket_address: {address: 127.0.0.1, port_value: 53}}]';
  t.match(cluster(`type: STRICT_DNS, ${members(endpoint('a', 1))}, ${resolver}`).problems, [/a resolver of its own/]);
});
