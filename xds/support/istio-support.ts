// Istio's own messages. A sidecar's listeners always hold their filters; `inert-filters.ts` says which have no effect yet.

import type { SupportTable } from './support-table.ts';

const ALPN = 'istio.envoy.config.filter.http.alpn.v2alpha1';
const metrics = 'Istio metrics are not kept yet';
const noHandshake = 'connections to endpoints are plain: there is no TLS handshake to offer protocols in';

export const istioSupport: SupportTable = {
  'stats.PluginConfig': {
    supported: [],
    ignored: {
      debug: metrics,
      max_peer_cache_size: metrics,
      stat_prefix: metrics,
      field_separator: metrics,
      value_separator: metrics,
      disable_host_header_fallback: metrics,
      tcp_reporting_duration: metrics,
      metrics,
      definitions: metrics,
      reporter: metrics,
      rotation_interval: metrics,
      graceful_deletion_interval: metrics,
    },
  },
  'stats.MetricConfig': {
    supported: [],
    ignored: { dimensions: metrics, name: metrics, tags_to_remove: metrics, match: metrics, drop: metrics },
  },
  'stats.MetricDefinition': { supported: [], ignored: { name: metrics, value: metrics, type: metrics } },
  [`${ALPN}.FilterConfig`]: { supported: [], ignored: { alpn_override: noHandshake } },
  [`${ALPN}.FilterConfig.AlpnOverride`]: {
    supported: [],
    ignored: { upstream_protocol: noHandshake, alpn_override: noHandshake },
  },
};
