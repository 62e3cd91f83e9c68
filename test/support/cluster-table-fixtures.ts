// A cluster table, changed as a worker changes it.

import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import { ClusterTable } from '../../proxy/cluster/cluster-table.ts';
import {
  makeAssignment,
  makeEndpoint,
  makeLocality,
  makeStatsSource,
  noTls,
  seededRandom,
} from './cluster-fixtures.ts';

export interface Change {
  readonly clusters?: readonly Cluster[];
  readonly removed?: readonly string[];
  readonly assignments?: readonly (readonly [string, LoadAssignment])[];
  readonly unassigned?: readonly string[];
}

export function makeClusterTable() {
  const statsSource = makeStatsSource();
  const time = { nowMs: 0 };
  const used: string[] = [];
  const environment = { random: seededRandom(1), clock: () => time.nowMs, statsSource, tls: noTls };
  const table = new ClusterTable(environment, (name) => used.push(name));
  const apply = ({ clusters = [], removed = [], assignments = [], unassigned = [] }: Change) =>
    table.apply({
      clusters: { set: clusters.map((cluster) => [cluster.name, cluster] as const), removed },
      assignments: { set: assignments, removed: unassigned },
    });
  return { table, apply, statsSource, time, used };
}

/** How many turns it took. */
export function takeInAll(table: ClusterTable): number {
  let turns = 1;
  while (table.takeIn()) turns++;
  return turns;
}

/** Members at these addresses. */
export const membersAt = (...ips: readonly string[]) =>
  makeAssignment([makeLocality(ips.map((ip) => makeEndpoint(ip)))]);
