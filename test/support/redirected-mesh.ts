// Listeners and clusters of a sidecar whose connections are redirected, shaped as Istio's: virtualOutbound at 15001 hands
// over to listeners that are bound to no port, virtualInbound at 15006 chooses by the port that was asked for.

import type { Test } from 'tap';
import { startNamedOrigin } from './named-origin.ts';
import { clusterAt, httpFilterChain, socketAddress, tcpFilterChain } from './sidecar.ts';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.listener';
const originalDst = { name: 'dst', typed_config: { '@type': `${FILTERS}.original_dst.v3.OriginalDst` } };
const httpInspector = { name: 'http', typed_config: { '@type': `${FILTERS}.http_inspector.v3.HttpInspector` } };
const plainHttp = { transport_protocol: 'raw_buffer', application_protocols: ['http/1.1', 'h2c'] };
const mysql = { destination_port_range: { start: 3306, end: 3307 } };

/**
 * `exact`: addresses whose port 8080 has a listener of its own, cluster `exact`; every other address's goes to `wildcard`.
 * `anyAddresses`: 0.0.0.0, ::, or both.
 */
export function redirectedListeners(exact: readonly string[], anyAddresses: readonly string[]) {
  return [
    {
      name: 'virtualOutbound',
      ...boundTo(anyAddresses, 15001),
      use_original_dst: true,
      filter_chains: [blackhole(15001), tcpFilterChain('passthrough')],
    },
    ...exact.map((address) => ({ ...unbound(address), filter_chains: [httpFilterChain('exact')] })),
    ...anyAddresses.map((address) => ({
      ...unbound(address),
      listener_filters: [httpInspector],
      listener_filters_timeout: '0s',
      continue_on_listener_filters_timeout: true,
      filter_chains: [{ filter_chain_match: plainHttp, ...httpFilterChain('wildcard') }],
      default_filter_chain: tcpFilterChain('passthrough'),
    })),
    {
      name: 'virtualInbound',
      ...boundTo(anyAddresses, 15006),
      listener_filters: [originalDst, { ...httpInspector, filter_disabled: mysql }],
      listener_filters_timeout: '0s',
      filter_chains: [
        blackhole(15006),
        { filter_chain_match: { destination_port: 8080, ...plainHttp }, ...httpFilterChain('app') },
      ],
      default_filter_chain: tcpFilterChain('passthrough'),
    },
  ];
}

/**
 * With an origin for each of `exact`, `wildcard` and `app`, which answers with that name. `exactPort`: of an origin of the
 * test's own.
 */
export async function redirectedClusters(t: Test, exactPort?: number) {
  return [
    { name: 'blackhole', connect_timeout: '5s' },
    { name: 'passthrough', type: 'ORIGINAL_DST', lb_policy: 'CLUSTER_PROVIDED', connect_timeout: '5s' },
    clusterAt('exact', exactPort ?? (await startNamedOrigin(t, 'exact'))),
    clusterAt('wildcard', await startNamedOrigin(t, 'wildcard')),
    clusterAt('app', await startNamedOrigin(t, 'app')),
  ];
}

function boundTo([first, ...more]: readonly string[], port: number) {
  return {
    address: socketAddress(port, first!),
    additional_addresses: more.map((address) => ({ address: socketAddress(port, address) })),
  };
}

function unbound(address: string) {
  return { name: `${address}_8080`, address: socketAddress(8080, address), bind_to_port: false };
}

/** A direct call of a port that is for redirected connections would be a connection to itself, without end. */
function blackhole(port: number) {
  return {
    name: 'blackhole',
    filter_chain_match: { destination_port: port },
    ...tcpFilterChain('blackhole'),
  };
}
