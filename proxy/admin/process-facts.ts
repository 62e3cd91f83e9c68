// What the process knows about itself when somebody asks for its statistics.

import { getHeapStatistics } from 'node:v8';
import type { ProcessFacts } from '../telemetry/process-stats.ts';
import type { AdminContext } from './admin-context.ts';

export type ProcessParts = Pick<AdminContext, 'state' | 'overrides'> & {
  readonly pool: Pick<AdminContext['pool'], 'generations'>;
};

export function processFacts({ state, pool, overrides }: ProcessParts): ProcessFacts {
  const heap = getHeapStatistics();
  const layers = state.bootstrap?.runtimeLayers ?? [];
  return {
    state: state.name,
    uptimeMs: Date.now() - state.startedAtMs,
    version: state.options.version,
    restartEpoch: state.options.restartEpoch,
    restartGeneration: state.ancestry.generation,
    parentConnections: state.ancestry.parentConnections,
    generations: pool.generations,
    runtime: { keys: overrides.flatten(layers).size, layers: layers.length, overrides: overrides.size },
    daysUntilFirstExpiring: state.certificates.daysUntilFirstExpiring,
    memory: {
      allocatedBytes: heap.used_heap_size + heap.external_memory,
      heapBytes: heap.total_heap_size,
      physicalBytes: process.memoryUsage.rss(),
    },
  };
}
