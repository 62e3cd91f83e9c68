import t from 'tap';
import {
  decodeDownstreamSocket,
  decodeTransportMatches,
  decodeUpstreamSocket,
} from '../../../xds/decode/transport-socket.ts';
import type { Cluster, TransportSocket } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noFields, noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const type = 'envoy.config.core.v3.TransportSocket';
const socket = (name: string, fields = '') =>
  `{name: s, typed_config: {"@type": a/envoy.extensions.transport_sockets.${name}, ${fields}}}`;
const ofClients = (yaml: string) =>
  decodedAs(type, yaml, (message: TransportSocket, problems) => decodeDownstreamSocket(message, problems));
const toEndpoints = (yaml: string) =>
  decodedAs(type, yaml, (message: TransportSocket, problems) => decodeUpstreamSocket(message, undefined, problems));

t.test('plain or TLS', async (t) => {
  const own = 'common_tls_context: {tls_certificate_sds_secret_configs: [{name: own}]}';
  t.same(ofClients(socket('raw_buffer.v3.RawBuffer')), { value: undefined, problems: [] });
  t.match(ofClients(socket('tls.v3.DownstreamTlsContext', own)), {
    value: { certificates: onlyItems({ name: 'own' }) },
    problems: noItems,
  });
  t.same(toEndpoints(socket('raw_buffer.v3.RawBuffer')), { value: { kind: 'plain' }, problems: [] });
  t.match(toEndpoints(socket('tls.v3.UpstreamTlsContext')), { value: { kind: 'tls' }, problems: noItems });
});

t.test('any other is refused by its type', async (t) => {
  const others = [
    'starttls.v3.StartTlsConfig',
    'starttls.v3.UpstreamStartTlsConfig',
    'alts.v3.Alts',
    'tap.v3.Tap',
    'quic.v3.QuicDownstreamTransport',
    'quic.v3.QuicUpstreamTransport',
    'proxy_protocol.v3.ProxyProtocolUpstreamTransport',
    'internal_upstream.v3.InternalUpstreamTransport',
    's2a.v3.S2AConfiguration',
    'tcp_stats.v3.Config',
    'http_11_proxy.v3.Http11ProxyUpstreamTransport',
  ];
  const clients = [...others, 'tls.v3.UpstreamTlsContext'];
  for (const name of clients) {
    t.matchOnly(ofClients(socket(name)).problems, [
      `typed_config: transport socket a/envoy.extensions.transport_sockets.${name} is not supported`,
    ]);
  }
  for (const name of [...others, 'tls.v3.DownstreamTlsContext']) {
    t.matchOnly(toEndpoints(socket(name)).problems, [
      `typed_config: transport socket a/envoy.extensions.transport_sockets.${name} is not supported`,
    ]);
  }
  t.matchOnly(ofClients('{name: envoy.transport_sockets.tls}').problems, [/^typed_config: typed_config is required/]);
});

t.test('sockets by labels of endpoints, in order', async (t) => {
  const matches = (yaml: string) =>
    decodedAs(
      'envoy.config.cluster.v3.Cluster',
      `{name: c, transport_socket_matches: ${yaml}}`,
      (message: Cluster, problems) =>
        decodeTransportMatches(message.transportSocketMatches, undefined, problems.at('m')),
    );
  const istio = `{name: tlsMode-istio, match: {tlsMode: istio}, transport_socket: ${socket('tls.v3.UpstreamTlsContext', 'sni: a')}}`;
  const plain = `{name: tlsMode-disabled, match: {}, transport_socket: ${socket('raw_buffer.v3.RawBuffer')}}`;
  t.match(matches(`[${istio}, ${plain}, {name: other}]`), {
    value: onlyItems(
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transport: { kind: 'tls', tls: { sni: 'a' } } },
      { name: 'tlsMode-disabled', match: noFields, transport: { kind: 'plain' } },
      { name: 'other', match: noFields, transport: { kind: 'plain' } },
    ),
    problems: noItems,
  });
  t.same(matches('[{name: a, match: {x: 1}}]').problems, [
    'm[0].match["x"]: a value that is no text is not supported; endpoints are labelled with text',
  ]);
});
