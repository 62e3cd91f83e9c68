// A cluster as a worker knows it: its configuration and members now, its endpoints, balancer and circuit breakers.
// It lives as long as the cluster has its name. Endpoint set and balancer are built when first asked for.

import { isDeepStrictEqual } from 'node:util';
import type { Cluster } from '../../config/cluster.ts';
import type { LoadAssignment, Metadata } from '../../config/endpoint.ts';
import type { Random } from '../../config/random.ts';
import {
  clusterStats,
  countUpstreamResponse,
  externalResponseStats,
  internalResponseStats,
  retryResponseStats,
} from '../telemetry/cluster-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import { compileBalancer } from './balancer-compiler.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import type { EndpointOwner, EndpointRuntime } from './endpoint-runtime.ts';
import { buildEndpointSet, type EndpointSet } from './endpoint-set.ts';
import { OriginalDestinations } from './original-dst.ts';
import { serviceNameOf } from './service-name.ts';
import { slowStartOf } from './slow-start.ts';
import type { StatsSource } from './stats-source.ts';
import type { UpstreamTransport } from './upstream-transport.ts';
import { areTransportsAlike, type ClientTlsSource, UpstreamTransports } from './upstream-transports.ts';

/** What clusters take from the worker. */
export interface ClusterEnvironment {
  readonly random: Random;
  /** Monotonic, ms. Asked where clusters have slow start. */
  readonly clock: () => number;
  readonly statsSource: StatsSource;
  readonly tls: ClientTlsSource;
}

export class ClusterRuntime implements EndpointOwner {
  readonly name: string;
  /** By routing priority. */
  readonly breakers: { readonly default: CircuitBreaker; readonly high: CircuitBreaker };
  readonly statsSource: StatsSource;

  readonly #random: Random;
  readonly #clock: () => number;
  readonly #tls: ClientTlsSource;
  /** Made with the first endpoint. */
  #transports: UpstreamTransports | null = null;
  #config: Cluster;
  #assignment: LoadAssignment | null;
  #endpoints: EndpointSet | null = null;
  #balancer: Balancer | null = null;
  #originalDestinations: OriginalDestinations | null = null;
  /** Endpoints that left, until they are idle and their counters can go. */
  #departed: EndpointRuntime[] = [];
  #stats: ClusterBlocks | null = null;
  #serviceName: string | null = null;
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
    this.#clock = environment.clock;
    this.#tls = environment.tls;
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

  /** The destination service, as traces and request metrics name it. */
  get serviceName(): string {
    this.#serviceName ??= serviceNameOf(this.#config);
    return this.#serviceName;
  }

  /** The cluster is gone from the configuration; it has no endpoints any more. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** Counters of this cluster, allocated when first asked for. */
  get stats(): StatBlock {
    this.#stats ??= this.#openStats();
    return this.#stats.cluster;
  }

  /** Counts a response that a retry follows: no client sees it. */
  countRetriedResponse(status: number): void {
    this.#stats ??= this.#openStats();
    countUpstreamResponse(this.#stats.retry, retryResponseStats, status);
  }

  /** Counts a response, also by whether its request came from inside the mesh. */
  countResponse(status: number, isInternal: boolean): void {
    this.#stats ??= this.#openStats();
    const { cluster, internal, external } = this.#stats;
    countUpstreamResponse(cluster, clusterStats, status);
    if (isInternal) countUpstreamResponse(internal, internalResponseStats, status);
    else countUpstreamResponse(external, externalResponseStats, status);
  }

  /** Records how long a response took, also by whether its request came from inside the mesh. */
  recordResponseTime(tookMs: number, isInternal: boolean): void {
    this.#stats ??= this.#openStats();
    const { cluster, internal, external } = this.#stats;
    cluster.record(clusterStats.upstreamRqTime, tookMs);
    if (isInternal) internal.record(internalResponseStats.upstreamRqTime, tookMs);
    else external.record(externalResponseStats.upstreamRqTime, tookMs);
  }

  /** Members by assignment; empty for original-dst clusters, whose endpoints `eachEndpoint` gives. */
  get endpoints(): EndpointSet {
    this.#endpoints ??= this.#buildEndpoints([]);
    return this.#endpoints;
  }

  /** Notes from now on when endpoints join, though no request has come yet: for slow start. */
  watchMembers(): void {
    this.#endpoints ??= this.#buildEndpoints([]);
  }

  /** Every endpoint there is now, for admin pages. */
  eachEndpoint(): Iterable<EndpointRuntime> {
    return this.#originalDestinations?.endpoints() ?? this.endpoints.endpoints;
  }

  /** For endpoints, when they are told of. */
  transportFor(metadata: Metadata): UpstreamTransport | null {
    this.#transports ??= new UpstreamTransports(this.#config, this.#tls);
    return this.#transports.of(metadata);
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
   * A new configuration under the same name and stat name. Counters and circuit breakers stay; connections stay unless they would
   * now be made differently. The old members serve until new ones arrive, except when discovery is of another kind.
   */
  updateConfig(config: Cluster): void {
    const before = this.#config;
    this.#config = config;
    this.#serviceName = null;
    this.breakers.default.updateLimits(config.circuitBreakers.default);
    this.breakers.high.updateLimits(config.circuitBreakers.high);
    if (!areTransportsAlike(before, config)) this.#replaceTransports();
    if (!areConnectionsAlike(before, config)) for (const endpoint of this.#built()) endpoint.drainPools();
    if (this.#originalDestinations !== null && !isDeepStrictEqual(before.discovery, config.discovery)) {
      this.#removeOriginalDestinations();
    }
    this.#rebuild();
  }

  /** The cluster is gone: nobody finds an endpoint in it any more. Its connections go with `remove`. */
  leave(): void {
    this.#isRemoved = true;
    this.#balancer = noChoice;
  }

  /** The cluster is gone: every endpoint is removed and pools are drained. */
  remove(): void {
    this.leave();
    this.#assignment = noMembers;
    this.#removeOriginalDestinations();
    this.#endpoints = this.#buildEndpoints(this.#endpoints?.endpoints ?? []);
  }

  /** The cluster was removed and nobody uses anything of it any more. */
  get isGone(): boolean {
    const { default: normal, high } = this.breakers;
    return this.#isRemoved && this.#departed.length === 0 && normal.isIdle && high.isIdle;
  }

  /** Drops original destinations that nobody uses and counters of what has left; call it every second or so. */
  cleanUp(nowMs: number): void {
    this.#originalDestinations?.cleanUp(nowMs);
    if (this.#departed.length > 0) this.#departed = this.#departed.filter((endpoint) => !releaseIfIdle(endpoint));
    if (!this.isGone) return;
    this.#transports?.release();
    this.#transports = null;
    this.#closeStats();
  }

  #replaceTransports(): void {
    const before = this.#transports;
    this.#transports = null;
    for (const endpoint of this.#built()) endpoint.updateTransport();
    before?.release();
  }

  *#built(): Generator<EndpointRuntime> {
    if (this.#endpoints !== null) yield* this.#endpoints.endpoints;
    if (this.#originalDestinations !== null) yield* this.#originalDestinations.endpoints();
  }

  #removeOriginalDestinations(): void {
    if (this.#originalDestinations === null) return;
    this.#departed.push(...this.#originalDestinations.endpoints());
    this.#originalDestinations.removeAll();
    this.#originalDestinations = null;
  }

  /** At once when the cluster is in use, because removed endpoints must drain; otherwise when it is first used. */
  #rebuild(): void {
    this.#balancer = null;
    if (this.#endpoints !== null) this.#endpoints = this.#buildEndpoints(this.#endpoints.endpoints);
  }

  #buildEndpoints(previous: readonly EndpointRuntime[]): EndpointSet {
    const { discovery, loadBalancer } = this.#config;
    const assignment = this.#assignment ?? (discovery.kind === 'static' ? discovery.assignment : noMembers);
    const set = buildEndpointSet(discovery.kind === 'original-dst' ? noMembers : assignment, {
      owner: this,
      previous,
      isKeyedByName: discovery.kind === 'logical-dns',
      panicThresholdPercent: loadBalancer.healthyPanicThresholdPercent,
      localityWeighted: loadBalancer.localityWeighted,
    });
    for (const endpoint of previous) if (endpoint.isRemoved) this.#departed.push(endpoint);
    if (slowStartOf(loadBalancer) !== undefined) {
      const nowMs = this.#clock();
      for (const endpoint of set.endpoints) endpoint.noteHealth(nowMs);
    }
    if (this.#stats !== null) publishMembership(this.#stats.cluster, set);
    return set;
  }

  #buildBalancer(): Balancer {
    const { discovery, loadBalancer } = this.#config;
    if (discovery.kind === 'original-dst') {
      this.#originalDestinations ??= new OriginalDestinations(discovery, this);
      this.#balancer = this.#originalDestinations;
    } else {
      this.#balancer = compileBalancer(this.endpoints, {
        policy: loadBalancer.policy,
        random: this.#random,
        clock: this.#clock,
        owner: this,
      });
    }
    return this.#balancer;
  }

  #openStats(): ClusterBlocks {
    const { statName } = this.#config;
    const blocks: ClusterBlocks = {
      cluster: this.statsSource.clusterBlock(statName),
      internal: this.statsSource.responseBlock(statName, 'internal'),
      external: this.statsSource.responseBlock(statName, 'external'),
      retry: this.statsSource.responseBlock(statName, 'retry'),
      default: this.statsSource.breakerBlock(statName, 'default'),
      high: this.statsSource.breakerBlock(statName, 'high'),
    };
    publishMembership(blocks.cluster, this.endpoints);
    this.breakers.default.publish(blocks.default);
    this.breakers.high.publish(blocks.high);
    return blocks;
  }

  #closeStats(): void {
    if (this.#stats === null) return;
    this.breakers.default.publish(null);
    this.breakers.high.publish(null);
    this.statsSource.release(this.#stats.cluster);
    this.statsSource.release(this.#stats.internal);
    this.statsSource.release(this.#stats.external);
    this.statsSource.release(this.#stats.retry);
    this.statsSource.release(this.#stats.default);
    this.statsSource.release(this.#stats.high);
    this.#stats = null;
  }
}

interface ClusterBlocks {
  readonly cluster: StatBlock;
  readonly internal: StatBlock;
  readonly external: StatBlock;
  readonly retry: StatBlock;
  readonly default: StatBlock;
  readonly high: StatBlock;
}

const noMembers: LoadAssignment = { localities: [], overprovisioningFactorPercent: 140 };

const noChoice: Balancer = { choose: () => null };

function releaseIfIdle(endpoint: EndpointRuntime): boolean {
  if (endpoint.isIdle) endpoint.releaseStats();
  return endpoint.isIdle;
}

function publishMembership(block: StatBlock, { endpoints, priorities }: EndpointSet): void {
  let healthy = 0;
  let degraded = 0;
  let maxWeight = 0;
  for (const priority of priorities) {
    healthy += priority.healthy.length;
    degraded += priority.degraded.length;
  }
  for (const endpoint of endpoints) maxWeight = Math.max(maxWeight, endpoint.weight);
  block.set(clusterStats.membershipTotal, endpoints.length);
  block.set(clusterStats.membershipHealthy, healthy);
  block.set(clusterStats.membershipDegraded, degraded);
  block.set(clusterStats.maxHostWeight, maxWeight);
}

/** Whether a connection made under one configuration serves as well under the other. */
function areConnectionsAlike(before: Cluster, after: Cluster): boolean {
  return (
    before.perConnectionBufferLimitBytes === after.perConnectionBufferLimitBytes &&
    isDeepStrictEqual(before.upstreamHttp, after.upstreamHttp) &&
    isDeepStrictEqual(before.keepAlive, after.keepAlive) &&
    isDeepStrictEqual(before.bindAddress, after.bindAddress)
  );
}
