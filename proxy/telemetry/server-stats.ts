// What is counted of the process; all but `total_connections` is written by the main thread.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/statistics

import { counter, defineStats, gauge, histogram } from './stats.ts';

/** `state` is 0 live, 1 draining, 2 pre-initialising, 3 initialising. */
export const serverStats = defineStats('server', {
  uptime: gauge('uptime'),
  live: gauge('live', 'max'),
  state: gauge('state', 'max'),
  version: gauge('version', 'max'),
  concurrency: gauge('concurrency', 'max'),
  memoryAllocated: gauge('memory_allocated'),
  memoryHeapSize: gauge('memory_heap_size'),
  memoryPhysicalSize: gauge('memory_physical_size'),
  totalConnections: gauge('total_connections'),
  parentConnections: gauge('parent_connections'),
  hotRestartEpoch: gauge('hot_restart_epoch', 'max'),
  hotRestartGeneration: gauge('hot_restart_generation', 'max'),
  daysUntilFirstCertExpiring: gauge('days_until_first_cert_expiring', 'max'),
  secondsUntilFirstOcspResponseExpiring: gauge('seconds_until_first_ocsp_response_expiring', 'max'),
  staticUnknownFields: counter('static_unknown_fields'),
  dynamicUnknownFields: counter('dynamic_unknown_fields'),
  debugAssertionFailures: counter('debug_assertion_failures'),
  initializationTimeMs: histogram('initialization_time_ms', 'ms'),
});

/** https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats#general */
export const clusterManagerStats = defineStats('cluster_manager', {
  clusterAdded: counter('cluster_added'),
  clusterModified: counter('cluster_modified'),
  clusterRemoved: counter('cluster_removed'),
  clusterUpdated: counter('cluster_updated'),
  clusterUpdatedViaMerge: counter('cluster_updated_via_merge'),
  updateMergeCancelled: counter('update_merge_cancelled'),
  updateOutOfMergeWindow: counter('update_out_of_merge_window'),
  activeClusters: gauge('active_clusters'),
  warmingClusters: gauge('warming_clusters'),
});

/** Log files. https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/stats */
export const filesystemStats = defineStats('filesystem', {
  writeBuffered: counter('write_buffered'),
  writeCompleted: counter('write_completed'),
  writeFailed: counter('write_failed'),
  writeTotalBuffered: gauge('write_total_buffered'),
  flushedByTimer: counter('flushed_by_timer'),
  reopenFailed: counter('reopen_failed'),
});

/** https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/runtime#statistics */
export const runtimeStats = defineStats('runtime', {
  adminOverridesActive: gauge('admin_overrides_active'),
  loadSuccess: counter('load_success'),
  loadError: counter('load_error'),
  numKeys: gauge('num_keys'),
  numLayers: gauge('num_layers'),
  overrideDirExists: counter('override_dir_exists'),
  overrideDirNotExists: counter('override_dir_not_exists'),
  deprecatedFeatureUse: counter('deprecated_feature_use'),
  deprecatedFeatureSeenSinceProcessStart: gauge('deprecated_feature_seen_since_process_start'),
});
