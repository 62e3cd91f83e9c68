// How connections to an endpoint are protected, by its metadata.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/cluster/v3/cluster.proto#config-cluster-v3-cluster-transportsocketmatch

import type { Cluster, TransportSocket } from './cluster.ts';
import type { Metadata } from './endpoint.ts';

/** Of the first of the cluster's matches whose labels the endpoint has all of; otherwise the cluster's own. */
export function transportSocketFor(
  { transport, transportMatches }: Pick<Cluster, 'transport' | 'transportMatches'>,
  metadata: Metadata,
): TransportSocket {
  const labels = metadata['envoy.transport_socket_match'];
  for (const { match, transport: matched } of transportMatches) {
    if (Object.entries(match).every(([key, value]) => labels?.[key] === value)) return matched;
  }
  return transport;
}
