// `/server_info`, `/listeners`, `/runtime`, `/memory` in Envoy's JSON.

import { getHeapStatistics } from 'node:v8';
import type { AdminContext } from './server.ts';

export function serverInfo({ state, pool }: AdminContext): unknown {
  const { version, concurrency, restartEpoch, commandLine } = state.options;
  const uptime = `${Math.floor((Date.now() - state.startedAtMs) / 1000)}s`;
  const node = state.bootstrap?.node;
  return {
    version: `outrigger/${version}`,
    state: state.name,
    uptime_current_epoch: uptime,
    uptime_all_epochs: uptime,
    hot_restart_version: 'disabled',
    command_line_options: { concurrency, restart_epoch: restartEpoch, arguments: commandLine },
    node:
      node === undefined
        ? {}
        : { id: node.id, cluster: node.cluster, locality: node.locality, metadata: node.metadata },
    worker_generations: pool.generations,
  };
}

/** `name::address` lines, as Envoy prints them. */
export function listenersText({ state }: AdminContext): string {
  return state.listeners.map(({ name, address }) => `${name}::${address}\n`).join('');
}

export function listenersJson({ state }: AdminContext): unknown {
  return {
    listener_statuses: state.listeners.map(({ name, address }) => {
      const colon = address.lastIndexOf(':');
      if (colon < 0) return { name, local_address: { pipe: { path: address } } };
      const ip = address.slice(0, colon).replace(/^\[|\]$/g, '');
      return { name, local_address: { socket_address: { address: ip, port_value: Number(address.slice(colon + 1)) } } };
    }),
  };
}

export function runtime({ state }: AdminContext): unknown {
  const layers = state.bootstrap?.runtimeLayers ?? [];
  const entries: Record<string, { final_value: string; layer_values: string[] }> = {};
  for (const [key, value] of state.bootstrap?.runtime ?? []) {
    entries[key] = {
      final_value: String(value),
      layer_values: layers.map((layer) => String(layer.values.get(key) ?? '')),
    };
  }
  return { layers: layers.map((layer) => layer.name), entries };
}

/** Envoy's fields, in bytes, as strings as its proto3 JSON has them. */
export function memory(): unknown {
  const heap = getHeapStatistics();
  const { rss } = process.memoryUsage();
  return {
    allocated: String(heap.used_heap_size + heap.external_memory),
    heap_size: String(heap.total_heap_size),
    pageheap_unmapped: '0',
    pageheap_free: String(heap.total_heap_size - heap.used_heap_size),
    total_thread_cache: '0',
    total_physical_bytes: String(rss),
  };
}
