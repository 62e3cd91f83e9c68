// The facts behind the live page. Everything that counts is a total since the start: the page makes rates of two of them.

import type { SamplingOverview } from '../export/sampling-overview.ts';
import type { AdminContext } from './admin-context.ts';
import { clusterOverview } from './cluster-overview.ts';
import { configurationOverview } from './configuration-overview.ts';
import { shownErrors } from './errors.ts';
import { listenerOverview } from './listener-overview.ts';
import { shownKeys } from './sampling.ts';
import { certificateOverview } from './security-overview.ts';

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
    configuration: configurationOverview(context.dynamic, state),
    certificates: certificateOverview(state.certificates),
    capture: context.capture.overview(),
    sampling: samplingFacts(context.tracing.overview()),
    errors: shownErrors(context.tracing.latestErrors()),
    clusters: clusterOverview(context, query.get('clusters') ?? ''),
  };
}

function samplingFacts(overview: SamplingOverview | null): unknown {
  if (overview === null) return null;
  // What stands for all keys without room of their own is there from the start.
  const keys = overview.keys.filter(({ service, requestsPerSecond, kept }) => {
    return service !== '*' || requestsPerSecond > 0 || Object.keys(kept).length > 0;
  });
  return { ...overview, keys: keys.slice(0, shownKeys), keyCount: keys.length };
}
