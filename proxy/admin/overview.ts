// The facts behind the live page. Everything that counts is a total since the start: the page makes rates of two of them.

import { clusterOverview } from './cluster-overview.ts';
import { listenerOverview } from './listener-overview.ts';
import type { AdminContext } from './server.ts';

/** `?clusters=TEXT` lists only clusters whose names contain the text. */
export function overview(context: AdminContext, query: URLSearchParams): unknown {
  const { state, pool } = context;
  const { user, system } = process.cpuUsage();
  const node = state.bootstrap?.node;
  return {
    atMs: Date.now(),
    state: state.name,
    version: state.options.version,
    node: node === undefined || node.id === '' ? '' : [node.cluster, node.id].filter((part) => part !== '').join(' / '),
    uptimeSeconds: Math.floor((Date.now() - state.startedAtMs) / 1000),
    /** Configuration that each worker serves. */
    generations: pool.generations,
    residentBytes: process.memoryUsage.rss(),
    /** Processor time of all threads. */
    cpuMicroseconds: user + system,
    listeners: [...(state.snapshot?.listeners.values() ?? [])].map((listener) => listenerOverview(context, listener)),
    clusters: clusterOverview(context, query.get('clusters') ?? ''),
  };
}
