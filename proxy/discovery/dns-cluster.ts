// The members of one STRICT_DNS or LOGICAL_DNS cluster: the names of its assignment, with addresses in their place.
// Strict: every address is an endpoint. Logical: the first address is, and the next answer may move it.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/service_discovery#strict-dns
//
// As in Envoy, nothing is published before every name was asked once; a failure keeps what was known; that a name has
// no address empties a strict cluster, and keeps the address of a logical one.

import type { Discovery } from '../../config/cluster.ts';
import type { Endpoint, LoadAssignment } from '../../config/endpoint.ts';
import type { Random } from '../../config/random.ts';
import { clusterDiscoveryStats } from '../telemetry/cluster-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { QueryOutcome } from './dns-query.ts';
import type { DnsResolver } from './dns-resolver.ts';
import { DnsTarget, type Schedule } from './dns-target.ts';

export type ResolvedDiscovery = Extract<Discovery, { kind: 'strict-dns' | 'logical-dns' }>;

export interface DnsClusterOptions {
  readonly discovery: ResolvedDiscovery;
  readonly resolver: DnsResolver;
  readonly schedule: Schedule;
  readonly random: Random;
  /** A block of `clusterDiscoveryStats`. */
  readonly stats: StatBlock | null;
  readonly onAssignment: (assignment: LoadAssignment) => void;
}

export class DnsCluster {
  readonly #options: DnsClusterOptions;
  readonly #targets = new Map<string, DnsTarget>();
  /** Addresses by name; a name that was never asked is not there. */
  readonly #resolved = new Map<string, readonly string[]>();
  #isPublished = false;

  constructor(options: DnsClusterOptions) {
    this.#options = options;
    const { discovery, resolver, schedule, random } = options;
    for (const hostname of hostnamesOf(discovery.assignment)) {
      const target = new DnsTarget({
        hostname,
        dns: discovery.dns,
        resolver,
        schedule,
        random,
        onAttempt: () => this.#count(clusterDiscoveryStats.updateAttempt),
        onOutcome: (outcome) => this.#onOutcome(hostname, outcome),
      });
      this.#targets.set(hostname, target);
    }
  }

  start(): void {
    for (const target of this.#targets.values()) target.start();
    if (this.#targets.size === 0) this.#publish();
  }

  stop(): void {
    for (const target of this.#targets.values()) target.stop();
  }

  #onOutcome(hostname: string, outcome: QueryOutcome): void {
    const known = this.#resolved.get(hostname) ?? [];
    const ips = this.#take(outcome, known);
    const isChanged = ips.length !== known.length || ips.some((ip, index) => ip !== known[index]);
    this.#resolved.set(hostname, ips);
    if (outcome.kind === 'answered' && !isChanged) this.#count(clusterDiscoveryStats.updateNoRebuild);
    if (this.#resolved.size === this.#targets.size && (isChanged || !this.#isPublished)) this.#publish();
  }

  /** The addresses after an attempt. */
  #take(outcome: QueryOutcome, known: readonly string[]): readonly string[] {
    if (outcome.kind === 'failed') {
      this.#count(clusterDiscoveryStats.updateFailure);
      return known;
    }
    this.#count(clusterDiscoveryStats.updateSuccess);
    const isLogical = this.#options.discovery.kind === 'logical-dns';
    if (outcome.ips.length === 0) {
      this.#count(clusterDiscoveryStats.updateEmpty);
      return isLogical ? known : [];
    }
    // Servers rotate their answers, which is no change for a strict cluster.
    return isLogical ? outcome.ips.slice(0, 1) : [...new Set(outcome.ips)].sort();
  }

  #publish(): void {
    const { discovery, onAssignment } = this.#options;
    const localities = discovery.assignment.localities.map((locality) => ({
      ...locality,
      endpoints: locality.endpoints.flatMap((endpoint) => this.#resolveEndpoint(endpoint)),
    }));
    // From nothing to no members is no change.
    if (this.#isPublished || localities.some(({ endpoints }) => endpoints.length > 0)) {
      this.#count(clusterDiscoveryStats.membershipChange);
    }
    this.#isPublished = true;
    onAssignment({ ...discovery.assignment, localities });
  }

  #resolveEndpoint(endpoint: Endpoint): Endpoint[] {
    const { address } = endpoint;
    if (address.kind === 'pipe') return [endpoint];
    const written = address.kind === 'ip' ? address.ip : address.hostname;
    const hostname = endpoint.hostname === '' ? written : endpoint.hostname;
    if (address.kind === 'ip') return [{ ...endpoint, hostname }];
    const ips = this.#resolved.get(address.hostname) ?? [];
    return ips.map((ip) => ({ ...endpoint, hostname, address: { kind: 'ip', ip, port: address.port } }));
  }

  #count(stat: number): void {
    this.#options.stats?.inc(stat);
  }
}

function hostnamesOf({ localities }: LoadAssignment): Set<string> {
  const addresses = localities.flatMap(({ endpoints }) => endpoints.map(({ address }) => address));
  return new Set(addresses.flatMap((address) => (address.kind === 'host' ? [address.hostname] : [])));
}
