// What the configuration that is served lacks to be whole, for `/xds` and the live page. All of a snapshot is looked through
// for it, and both are asked again and again, `/xds` by whoever asks a sidecar for `/healthz/ready?verbose`: once is enough.

import type { Problem } from '../../config/problems.ts';
import type { Snapshot } from '../../config/snapshot.ts';
import { snapshotProblems } from '../../config/snapshot-problems.ts';
import type { ServerState } from '../command/server-state.ts';

const known = new WeakMap<Snapshot, readonly Problem[]>();

export function missingParts({ snapshot, bootstrap }: Pick<ServerState, 'snapshot' | 'bootstrap'>): readonly Problem[] {
  if (snapshot === null) return [];
  const problems = known.get(snapshot) ?? snapshotProblems(snapshot, bootstrap?.grpcClusters);
  known.set(snapshot, problems);
  return problems;
}
