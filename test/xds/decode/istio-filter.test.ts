import t from 'tap';
import { decodeHttpConnectionManager } from '../../../xds/decode/http-connection-manager.ts';
import type { HttpConnectionManager } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const manager = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const router = '{name: r, typed_config: {"@type": a/envoy.extensions.filters.http.router.v3.Router}}';
const decoded = (...filters: readonly string[]) =>
  decodedAs(
    manager,
    `{stat_prefix: s, route_config: {name: n}, http_filters: [${[...filters, router].join(', ')}]}`,
    (message: HttpConnectionManager, problems) => decodeHttpConnectionManager(message, problems),
  );

const alpn = (overrides: string) =>
  `{name: istio.alpn, typed_config: {"@type": a/istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig, alpn_override: [${overrides}]}}`;
const ofIstio = [
  '{alpn_override: [istio-http/1.0, istio, http/1.0]}',
  '{upstream_protocol: HTTP11, alpn_override: [istio-http/1.1, istio, http/1.1]}',
  '{upstream_protocol: HTTP2, alpn_override: [istio-h2, istio, h2]}',
];

const peerMetadata = (fields: string) =>
  '{name: istio.metadata_exchange, typed_config: {"@type": a/udpa.type.v1.TypedStruct, ' +
  `type_url: type.googleapis.com/io.istio.http.peer_metadata.Config, value: {${fields}}}}`;

t.test('without Istio there is nothing of its filters', async (t) => {
  const { value } = decoded();
  t.same([value?.alpnOverride, value?.peerMetadata, value?.istioStats], [undefined, undefined, undefined]);
});

t.test('protocols are offered by the version of HTTP that an endpoint is spoken to in', async (t) => {
  const { value, problems } = decoded(alpn(ofIstio.join(', ')));
  t.same(problems, []);
  t.same(value?.alpnOverride, {
    http11: ['istio-http/1.1', 'istio', 'http/1.1'],
    http2: ['istio-h2', 'istio', 'h2'],
  });
  t.same(decoded(alpn('')).value?.alpnOverride, { http11: [], http2: [] });
});

t.test('a protocol that is not spoken is not offered', async (t) => {
  for (const name of ['h2', 'istio-h2', 'istio-peer-exchange']) {
    const { problems } = decoded(alpn(`{upstream_protocol: HTTP11, alpn_override: [istio, ${name}]}`));
    const path = 'http_filters[0].typed_config.alpn_override[0].alpn_override[1]';
    t.same(problems, [`${path}: ${name} is not supported; it is not HTTP/1.1`]);
  }
  t.matchOnly(decoded(alpn(`{alpn_override: ["", ${'a'.repeat(256)}]}`)).problems, [
    /1 to 255 bytes/,
    /1 to 255 bytes/,
  ]);
});

t.test('an inbound and an outbound sidecar exchange metadata by headers', async (t) => {
  const inbound = decoded(
    peerMetadata(
      'downstream_discovery: [{istio_headers: {}}, {workload_discovery: {}}], downstream_propagation: [{istio_headers: {}}]',
    ),
  );
  t.same(inbound.problems, []);
  const nothing = {
    readsRequests: false,
    answersRequests: false,
    sendsRequests: false,
    skipsExternalClusters: false,
    readsResponses: false,
    additionalLabels: [],
  };
  t.same(inbound.value?.peerMetadata, { ...nothing, readsRequests: true, answersRequests: true });
  const outbound = decoded(
    peerMetadata(
      'upstream_discovery: [{istio_headers: {}}, {workload_discovery: {}}], additional_labels: [role],' +
        'upstream_propagation: [{baggage: {}}, {istio_headers: {skip_external_clusters: true}}]',
    ),
  );
  t.same(outbound.value?.peerMetadata, {
    ...nothing,
    sendsRequests: true,
    skipsExternalClusters: true,
    readsResponses: true,
    additionalLabels: ['role'],
  });
  t.same(decoded(peerMetadata('downstream_discovery: [{workload_discovery: {}}]')).value?.peerMetadata, nothing);
});

t.test('a filter that is there twice is refused', async (t) => {
  t.same(decoded(peerMetadata(''), peerMetadata('')).problems, [
    'http_filters[1]: io.istio.http.peer_metadata.Config may be there once',
  ]);
});
