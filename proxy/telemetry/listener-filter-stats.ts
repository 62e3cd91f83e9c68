// What listener filters count, for all listeners together as in Envoy.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/tls_inspector#statistics
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/http_inspector#statistics
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/listener_filters/proxy_protocol#statistics

import { counter, defineStats, histogram } from './stats.ts';

export const tlsInspectorStats = defineStats('tls_inspector', {
  clientHelloTooLarge: counter('client_hello_too_large'),
  tlsFound: counter('tls_found'),
  tlsNotFound: counter('tls_not_found'),
  alpnFound: counter('alpn_found'),
  alpnNotFound: counter('alpn_not_found'),
  sniFound: counter('sni_found'),
  sniNotFound: counter('sni_not_found'),
  bytesProcessed: histogram('bytes_processed', 'bytes'),
});

export const proxyProtocolStats = defineStats('proxy_proto', {
  notFoundDisallowed: counter('not_found_disallowed'),
  notFoundAllowed: counter('not_found_allowed'),
  v1Found: counter('versions.v1.found'),
  v1Disallowed: counter('versions.v1.disallowed'),
  v1Error: counter('versions.v1.error'),
  v2Found: counter('versions.v2.found'),
  v2Disallowed: counter('versions.v2.disallowed'),
  v2Error: counter('versions.v2.error'),
});

export const httpInspectorStats = defineStats('http_inspector', {
  readError: counter('read_error'),
  http10Found: counter('http10_found'),
  http11Found: counter('http11_found'),
  http2Found: counter('http2_found'),
  httpNotFound: counter('http_not_found'),
});
