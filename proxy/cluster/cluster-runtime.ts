// A cluster as a worker knows it: its configuration and members now, its endpoints, balancer and circuit breakers.
// It lives as long as the cluster has its name. Endpoint set and balancer are built when first asked for.

import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Random } from '../../config/random.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import { compileBalancer } from './balancer-compiler.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { EndpointOwner, EndpointRuntime } from './endpoint-runtime.ts';
import { buildEndpointSet, type EndpointSet, emptyEndpointSet } from './endpoint-set.ts';
import { OriginalDestinations } from './original-dst.ts';
import type { StatBlock, StatsSource } from './stats-source.ts';

/** What clusters take from the worker. */
export interface ClusterEnvironment {
  readonly random: Random;
  readonly statsSource: StatsSource;
}

export class ClusterRuntime implements EndpointOwner {
  readonly name: string;
  /** By routing priority. */
  readonly breakers: { readonly default: CircuitBreaker; readonly high: CircuitBreaker };
  readonly statsSource: StatsSource;

  readonly #random: Random;
  #config: Cluster;
  #assignment: LoadAssignment | null;
  #endpoints: EndpointSet | null = null;
  #balancer: Balancer | null = null;
  #originalDestinations: OriginalDestinations | null = null;
  #stats: StatBlock | null = null;
  #isRemoved = false;

  /** `assignment` is null while the members are not known. */
  constructor(config: Cluster, assignment: LoadAssignment | null, environment: ClusterEnvironment) {
    this.name = config.name;
    this.breakers = {
      default: new CircuitBreaker(config.circuitBreakers.default),
      high: new CircuitBreaker(config.circuitBreakers.high),
    };
    this.statsSource = environment.statsSource;
    this.#random = environment.random;
    this.#config = config;
    this.#assignment = assignment;
  }

  /** The configuration of now: read it when it is needed, do not keep it. */
  get config(): Cluster {
    return this.#config;
  }

  get statName(): string {
    return this.#config.statName;
  }

  /** The cluster is gone from the configuration; it has no endpoints any more. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Counters of this cluster, allocated when first asked for. */
  get stats(): StatBlock {
    this.#stats ??= this.statsSource.clusterBlock(this.#config.statName);
    return this.#stats;
  }

  /** Members by assignment; empty for original-dst clusters, whose endpoints `eachEndpoint` gives. */
  get endpoints(): EndpointSet {
    this.#endpoints ??= this.#buildEndpoints([]);
    return this.#endpoints;
  }

  /** Every endpoint there is now, for admin pages. */
  eachEndpoint(): Iterable<EndpointRuntime> {
    return this.#originalDestinations?.endpoints() ?? this.endpoints.endpoints;
  }

  /**
   * The endpoint for one attempt, null when there is none. Draws again when it meets an excluded one, at most
   * `hostSelectionMaxAttempts` times: then an excluded endpoint is better than none (Envoy's rule).
   */
  chooseEndpoint(context: ChooseContext): EndpointRuntime | null {
    const balancer = this.#balancer ?? this.#buildBalancer();
    let endpoint = balancer.choose(context);
    const excluded = context.excluded;
    if (excluded === null) return endpoint;
    for (let attempt = 0; attempt < context.hostSelectionMaxAttempts; attempt++) {
      if (endpoint === null || !excluded.includes(endpoint)) return endpoint;
      endpoint = balancer.choose(context);
    }
    return endpoint;
  }

  /** New members. Those that stay keep connections and counters; pools of those that went are drained. */
  updateAssignment(assignment: LoadAssignment | null): void {
    this.#assignment = assignment;
    this.#rebuild();
  }

  /**
   * A new configuration under the same name. Counters and circuit breakers stay; connections stay unless they would
   * now be made differently. The old members serve until new ones arrive, except when discovery is of another kind.
   */
  updateConfig(config: Cluster): void {
    const before = this.#config;
    this.#config = config;
    this.breakers.default.updateLimits(config.circuitBreakers.default);
    this.breakers.high.updateLimits(config.circuitBreakers.high);
    if (before.statName !== config.statName) this.#stats = null;
    if (!areConnectionsAlike(before, config)) for (const endpoint of this.#built()) endpoint.drainPools();
    if (!isDeepStrictEqual(before.discovery, config.discovery)) {
      this.#originalDestinations?.removeAll();
      this.#originalDestinations = null;
    }
    this.#rebuild();
  }

  /** The cluster is gone: every endpoint is removed and pools are drained. */
  remove(): void {
    this.#isRemoved = true;
    for (const endpoint of this.#built()) endpoint.remove();
    this.#originalDestinations?.removeAll();
    this.#originalDestinations = null;
    this.#endpoints = emptyEndpointSet;
    this.#balancer = compileBalancer(emptyEndpointSet, this.#config.loadBalancer.policy, this.#random);
  }

  /** Drops original destinations that nobody uses; call it every second or so. */
  cleanUp(nowMs: number): void {
    this.#originalDestinations?.cleanUp(nowMs);
  }

  *#built(): Generator<EndpointRuntime> {
    if (this.#endpoints !== null) yield* this.#endpoints.endpoints;
    if (this.#originalDestinations !== null) yield* this.#originalDestinations.endpoints();
  }

  /** At once when the cluster is in use, because removed endpoints must drain; otherwise when it is first used. */
  #rebuild(): void {
    this.#balancer = null;
    if (this.#endpoints !== null) this.#endpoints = this.#buildEndpoints(this.#endpoints.endpoints);
  }

  #buildEndpoints(previous: readonly EndpointRuntime[]): EndpointSet {
    const { discovery, loadBalancer } = this.#config;
    const assignment = this.#assignment ?? (discovery.kind === 'static' ? discovery.assignment : noMembers);
    return buildEndpointSet(discovery.kind === 'original-dst' ? noMembers : assignment, {
      owner: this,
      previous,
      isKeyedByName: discovery.kind === 'logical-dns',
      panicThresholdPercent: loadBalancer.healthyPanicThresholdPercent,
      localityWeighted: loadBalancer.localityWeighted,
    });
  }

  #buildBalancer(): Balancer {
    const { discovery, loadBalancer } = this.#config;
    if (discovery.kind === 'original-dst') {
      this.#originalDestinations ??= new OriginalDestinations(discovery, this);
      this.#balancer = this.#originalDestinations;
    } else {
      this.#balancer = compileBalancer(this.endpoints, loadBalancer.policy, this.#random);
    }
    return this.#balancer;
  }
}

const noMembers: LoadAssignment = { localities: [], overprovisioningFactorPercent: 140 };

/** Whether a connection made under one configuration serves as well under the other. */
function areConnectionsAlike(before: Cluster, after: Cluster): boolean {
  return (
    before.perConnectionBufferLimitBytes === after.perConnectionBufferLimitBytes &&
    isDeepStrictEqual(before.upstreamHttp, after.upstreamHttp) &&
    isDeepStrictEqual(before.keepAlive, after.keepAlive) &&
    isDeepStrictEqual(before.bindAddress, after.bindAddress)
  );
}
