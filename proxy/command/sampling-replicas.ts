// How many instances of our own service there are, for a budget of the whole service (`scope: service`). Nobody is asked: the
// control plane sends the members of every service, and ours is the one that has our address among its members.

import { type LoadAssignment, takesRequests } from '../../config/endpoint.ts';
import type { Snapshot } from '../../config/snapshot.ts';

/**
 * Counts the instances of a snapshot, 1 when it does not know us. Snapshots are looked through once each: a mesh has
 * thousands of assignments, and the question comes every second.
 */
export class SamplingReplicas {
  readonly #ownIp: string;
  #generation = -1;
  #count = 1;

  constructor(ownIp: string) {
    this.#ownIp = ownIp;
  }

  count(snapshot: Snapshot | null): number {
    if (snapshot === null || snapshot.generation === this.#generation) return this.#count;
    this.#generation = snapshot.generation;
    this.#count = 1;
    // Where several have us (subsets of a version, further ports) the largest is the service.
    for (const assignment of snapshot.assignments.values()) {
      const ips = instancesOf(assignment);
      if (ips.has(this.#ownIp)) this.#count = Math.max(this.#count, ips.size);
    }
    return this.#count;
  }
}

/** Those that take requests: others have no use for a part of the budget. */
function instancesOf({ localities }: LoadAssignment): ReadonlySet<string> {
  const ips = new Set<string>();
  for (const { endpoints } of localities) {
    for (const { address, health } of endpoints) {
      if (address.kind === 'ip' && takesRequests(health)) ips.add(address.ip);
    }
  }
  return ips;
}
