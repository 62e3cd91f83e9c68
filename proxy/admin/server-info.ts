// `/server_info`, `/listeners`, `/memory`, `/ready` in Envoy's formats.

import { getHeapStatistics } from 'node:v8';
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
    command_line_options: commandLineOptions(flags, concurrency),
    node:
      node === undefined
        ? {}
        : {
            id: node.id,
            cluster: node.cluster,
            metadata: node.metadata,
            locality: { region: node.locality.region, zone: node.locality.zone, sub_zone: node.locality.subZone },
            user_agent_name: 'outrigger',
          },
    worker_generations: pool.generations,
  });
}

/** `admin.v3.CommandLineOptions`: the fields that mean something here. */
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
  };
}

function hotRestartOptions({ hotRestart }: Flags): object {
  if (hotRestart === null) return {};
  const { baseId, baseIdPath = '', socketPath, socketMode } = hotRestart;
  return {
    base_id: String(baseId === 'dynamic' ? 0 : baseId),
    use_dynamic_base_id: baseId === 'dynamic',
    base_id_path: baseIdPath,
    socket_path: socketPath,
    socket_mode: socketMode,
  };
}

function secondsSince(startedAtMs: number): string {
  return `${Math.floor((Date.now() - startedAtMs) / 1000)}s`;
}

function seconds(durationMs: number): string {
  return `${durationMs / 1000}s`;
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
