// Istio's own messages. A sidecar's listeners always hold their filters; `inert-filters.ts` says which have no effect.

import type { SupportTable } from './support-table.ts';

const ALPN = 'istio.envoy.config.filter.http.alpn.v2alpha1';
const PEER = 'io.istio.http.peer_metadata';
const former = 'it has no effect in Istio any more';
const byHeaders = 'who the peer is, is read of its headers';
const byPreamble = 'who the peer is, is read of what it puts in front of its bytes';
const byHeadersOnly = 'sidecars tell of themselves in x-envoy-peer-metadata';
/** The same under the name of older releases and that of newer ones. */
const exchange = {
  supported: ['protocol', 'additional_labels'],
  ignored: { enable_discovery: byPreamble },
};

export const istioSupport: SupportTable = {
  'stats.PluginConfig': {
    supported: ['disable_host_header_fallback', 'tcp_reporting_duration', 'metrics'],
    ignored: {
      debug: former,
      max_peer_cache_size: former,
      stat_prefix: former,
      field_separator: former,
      value_separator: former,
      rotation_interval: 'a series that nobody uses gives its room to others in any case',
      graceful_deletion_interval: former,
    },
    unsupported: {
      definitions: 'the metrics are those of Istio',
      reporter: { unless: ['UNSPECIFIED'], why: 'it is for gateways of several workloads' },
    },
  },
  'stats.MetricConfig': {
    supported: ['dimensions', 'name', 'tags_to_remove', 'drop'],
    ignored: { match: 'Istio does not act on it' },
  },
  [`${ALPN}.FilterConfig`]: { supported: ['alpn_override'] },
  [`${ALPN}.FilterConfig.AlpnOverride`]: { supported: ['upstream_protocol', 'alpn_override'] },
  'envoy.tcp.metadataexchange.config.MetadataExchange': exchange,
  'envoy.extensions.filters.network.metadata_exchange.v3.MetadataExchange': exchange,
  [`${PEER}.Config`]: {
    supported: [
      'downstream_discovery',
      'upstream_discovery',
      'downstream_propagation',
      'upstream_propagation',
      'additional_labels',
    ],
    ignored: { shared_with_upstream: 'it is for connections within one process' },
  },
  [`${PEER}.Config.DiscoveryMethod`]: {
    supported: ['istio_headers'],
    ignored: {
      baggage: byHeaders,
      workload_discovery: byHeaders,
      upstream_filter_state: byHeaders,
    },
  },
  [`${PEER}.Config.PropagationMethod`]: { supported: ['istio_headers'], ignored: { baggage: byHeadersOnly } },
  [`${PEER}.Config.IstioHeaders`]: { supported: ['skip_external_clusters'] },
};
