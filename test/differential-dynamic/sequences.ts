// The sequences of pushes. Each begins with fresh proxies, and its first step is what they start with.

import type { Sequence } from './dynamic-comparison.ts';
import { clusterSequences } from './sequences/clusters.ts';
import { endpointSequences } from './sequences/endpoints.ts';
import { listenerSequences } from './sequences/listeners.ts';
import { processSequences } from './sequences/process.ts';
import { refusalSequences } from './sequences/refusals.ts';
import { routeSequences } from './sequences/routes.ts';

/** What the sequences use of the machine. */
export interface Stage {
  /** Origins that answer with these names. */
  readonly first: number;
  readonly second: number;
  /** Ports that are free on the addresses of both proxies. */
  readonly ports: readonly [number, number, number];
  /** A port that somebody else has there. */
  readonly taken: number;
}

export function sequencesOn(stage: Stage): readonly Sequence[] {
  return [
    ...endpointSequences(stage),
    ...clusterSequences(stage),
    ...routeSequences(stage),
    ...listenerSequences(stage),
    ...refusalSequences(stage),
    ...processSequences(stage),
  ];
}
