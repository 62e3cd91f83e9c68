// `/server_info`, `/listeners`, `/memory`, `/ready` in Envoy's formats.

import { getHeapStatistics } from 'node:v8';
import type { Node } from '../../config/bootstrap.ts';
import type { Flags } from '../command/flags.ts';
import { type AdminAnswer, type AdminRequest, failure, json, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

/**
 * 200 when every worker serves, 503 before that and from the moment the process drains or is told to fail; also while
 * connections are not captured as was asked for, because an application that counts on the proxy would go past it, and when
 * an own certificate has expired. One that nears its end is told of before.
 */
export function ready({ state, capture }: AdminContext): AdminAnswer {
  const problem = capture.problem;
  if (problem !== null) return failure(503, `NOT CAPTURED: ${problem}\n`);
  if (state.name !== 'LIVE') return failure(503, `${[state.name, state.drainReason].filter(Boolean).join(': ')}\n`);
  const [worst, ...others] = state.certificates.problems();
  if (worst?.isExpired) return failure(503, `EXPIRED: ${worst.words}\n`);
  const nearEnds = worst === undefined ? [] : [worst, ...others];
  return text(['LIVE\n', ...nearEnds.map(({ words }) => `DEGRADED: ${words}\n`)].join(''));
}

export function serverInfo({ state, pool, flags }: AdminContext): AdminAnswer {
  const { version, concurrency } = state.options;
  const { hotRestartVersion, firstStartedAtMs } = state.ancestry;
  const node = state.bootstrap?.node;
  return json({
    version: `outrigger/${version}`,
    state: state.name,
    uptime_current_epoch: secondsSince(state.startedAtMs),
    uptime_all_epochs: secondsSince(firstStartedAtMs),
    hot_restart_version: hotRestartVersion,
    hot_restart_initializing: state.name === 'INITIALIZING' && flags.restartEpoch > 0,
    command_line_options: commandLineOptions(flags, concurrency),
    node: node === undefined ? {} : nodeJson(node, version),
    worker_generations: pool.generations,
  });
}

export function nodeJson({ id, cluster, metadata, locality, wire }: Node, version: string) {
  const [major = 0, minor = 0, patch = 0] = version.split(/[.-]/).map(Number);
  return {
    id,
    cluster,
    metadata,
    locality: { region: locality.region, zone: locality.zone, sub_zone: locality.subZone },
    user_agent_name: 'outrigger',
    user_agent_build_version: { version: { major_number: major, minor_number: minor, patch } },
    extensions: wire['extensions'] ?? [],
    client_features: wire['clientFeatures'] ?? [],
  };
}

/** `admin.v3.CommandLineOptions`. What no flag of ours changes has the value that says what is done here. */
function commandLineOptions(flags: Flags, concurrency: number): unknown {
  return {
    concurrency,
    config_path: flags.configPath ?? '',
    // It may have keys and tokens in it: /config_dump shows what it says, without them.
    config_yaml: flags.configYaml === undefined ? '' : '[redacted]',
    allow_unknown_static_fields: flags.allowUnknownStaticFields,
    log_level: flags.logLevel,
    component_log_level: flags.componentLogLevel,
    service_cluster: flags.serviceCluster ?? '',
    service_node: flags.serviceNode ?? '',
    service_zone: flags.serviceZone ?? '',
    file_flush_interval: seconds(flags.logFlushIntervalMs),
    file_flush_min_size: flags.logFlushSizeBytes,
    drain_time: seconds(flags.drainTimeMs),
    drain_strategy: flags.drainStrategy === 'gradual' ? 'Gradual' : 'Immediate',
    mode: 'Serve',
    parent_shutdown_time: seconds(flags.parentShutdownTimeMs),
    disable_hot_restart: flags.hotRestart === null,
    restart_epoch: flags.restartEpoch,
    ...hotRestartOptions(flags),
    ...fixedOptions,
  };
}

const fixedOptions = {
  admin_address_path: '',
  local_address_ip_version: 'v4',
  log_format: '',
  log_format_escaped: false,
  log_path: '',
  log_stacktrace_single_entry: true,
  enable_fine_grain_logging: false,
  enable_mutex_tracing: false,
  enable_core_dump: false,
  // The quota of the cgroup is heeded in any case.
  cpuset_threads: true,
  reject_unknown_dynamic_fields: false,
  ignore_unknown_dynamic_fields: true,
  skip_deprecated_logs: false,
  disabled_extensions: [],
  stats_tag: [],
};

function hotRestartOptions({ hotRestart }: Flags): object {
  if (hotRestart === null) return {};
  const { baseId, baseIdPath = '', socketPath, socketMode, startsWithoutParent, carriesStatistics } = hotRestart;
  return {
    base_id: String(baseId === 'dynamic' ? 0 : baseId),
    use_dynamic_base_id: baseId === 'dynamic',
    base_id_path: baseIdPath,
    socket_path: socketPath,
    socket_mode: socketMode,
    skip_hot_restart_on_no_parent: startsWithoutParent,
    skip_hot_restart_parent_stats: !carriesStatistics,
  };
}

function secondsSince(startedAtMs: number): string {
  return `${Math.floor((Date.now() - startedAtMs) / 1000)}s`;
}

/** As proto3 JSON has durations: whole seconds, or three digits behind the point. */
function seconds(durationMs: number): string {
  return `${durationMs % 1000 === 0 ? durationMs / 1000 : (durationMs / 1000).toFixed(3)}s`;
}

/** `name::address` lines, as Envoy prints them; or JSON. */
export function listeners({ state }: AdminContext, { query }: AdminRequest): AdminAnswer {
  if (query.get('format') !== 'json') {
    return text(state.listeners.map(({ name, address }) => `${name}::${address}\n`).join(''));
  }
  return json({
    listener_statuses: state.listeners.map(({ name, address }) => {
      const colon = address.lastIndexOf(':');
      if (colon < 0) return { name, local_address: { pipe: { path: address } } };
      const ip = address.slice(0, colon).replace(/^\[|\]$/g, '');
      return { name, local_address: { socket_address: { address: ip, port_value: Number(address.slice(colon + 1)) } } };
    }),
  });
}

/** Envoy's fields, in bytes, as strings as its proto3 JSON has them. */
export function memory(): AdminAnswer {
  const heap = getHeapStatistics();
  return json({
    allocated: String(heap.used_heap_size + heap.external_memory),
    heap_size: String(heap.total_heap_size),
    pageheap_unmapped: '0',
    pageheap_free: String(heap.total_heap_size - heap.used_heap_size),
    total_thread_cache: '0',
    total_physical_bytes: String(process.memoryUsage.rss()),
  });
}
