// What is counted of a listener. https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/stats

import { formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { counter, defineStats, gauge, histogram } from './stats.ts';

/** Its address, without the colons that separate parts of names, or its `stat_prefix`. */
export function listenerStatName({ statPrefix, address }: Pick<Listener, 'statPrefix' | 'address'>): string {
  return statPrefix === '' ? formatAddress(address).replaceAll(':', '_') : statPrefix;
}

/** A block takes `listenerStatName`. */
export const listenerStats = defineStats('listener.{envoy_listener_address}', {
  downstreamCxTotal: counter('downstream_cx_total'),
  downstreamCxActive: gauge('downstream_cx_active'),
  downstreamCxDestroy: counter('downstream_cx_destroy'),
  downstreamCxOverflow: counter('downstream_cx_overflow'),
  downstreamCxOverloadReject: counter('downstream_cx_overload_reject'),
  downstreamGlobalCxOverflow: counter('downstream_global_cx_overflow'),
  downstreamCxTransportSocketConnectTimeout: counter('downstream_cx_transport_socket_connect_timeout'),
  downstreamCxLengthMs: histogram('downstream_cx_length_ms', 'ms'),
  connectionsAcceptedPerSocketEvent: histogram('connections_accepted_per_socket_event', 'count'),
  downstreamListenerFilterError: counter('downstream_listener_filter_error'),
  downstreamListenerFilterRemoteClose: counter('downstream_listener_filter_remote_close'),
  downstreamPreCxActive: gauge('downstream_pre_cx_active'),
  downstreamPreCxTimeout: counter('downstream_pre_cx_timeout'),
  noFilterChainMatch: counter('no_filter_chain_match'),
  /** Stays 0: listener filters are not discovered. */
  extensionConfigMissing: counter('extension_config_missing'),
  networkExtensionConfigMissing: counter('network_extension_config_missing'),
});

/** A listener's connections by worker; a block takes the listener's address and the worker's number. */
export const listenerWorkerStats = defineStats('listener.{envoy_listener_address}.worker_{envoy_worker_id}', {
  downstreamCxTotal: counter('downstream_cx_total'),
  downstreamCxActive: gauge('downstream_cx_active'),
});

/** Written by the main thread, but for what is draining: that workers know. */
export const listenerManagerStats = defineStats('listener_manager', {
  listenerAdded: counter('listener_added'),
  listenerModified: counter('listener_modified'),
  listenerRemoved: counter('listener_removed'),
  listenerStopped: counter('listener_stopped'),
  listenerCreateSuccess: counter('listener_create_success'),
  listenerCreateFailure: counter('listener_create_failure'),
  listenerInPlaceUpdated: counter('listener_in_place_updated'),
  totalListenersActive: gauge('total_listeners_active'),
  totalListenersWarming: gauge('total_listeners_warming'),
  totalListenersDraining: gauge('total_listeners_draining', 'max'),
  totalFilterChainsDraining: gauge('total_filter_chains_draining', 'max'),
  workersStarted: gauge('workers_started'),
});
