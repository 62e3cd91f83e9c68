// Clusters, assignments and choices with everything that a test does not care about filled in.

import type { Cluster } from '../../config/cluster.ts';
import type { Endpoint, HealthStatus, LoadAssignment, LocalityEndpoints } from '../../config/endpoint.ts';
import type { Random } from '../../config/random.ts';
import type { ChooseContext } from '../../proxy/cluster/balancer.ts';
import type { EndpointOwner } from '../../proxy/cluster/endpoint-runtime.ts';
import type { StatsSource } from '../../proxy/cluster/stats-source.ts';
import type { ClientTlsSource } from '../../proxy/cluster/upstream-transports.ts';
import { callerResponseStats, circuitBreakerStats, clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../proxy/telemetry/endpoint-stats.ts';
import type { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';

/** Mulberry32: the same numbers for the same seed. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function makeEndpoint(
  ip: string,
  given: { weight?: number; health?: HealthStatus; port?: number } = {},
): Endpoint {
  return {
    address: { kind: 'ip', ip, port: given.port ?? 80 },
    hostname: '',
    weight: given.weight ?? 1,
    health: given.health ?? 'unknown',
    metadata: {},
  };
}

export function makeLocality(
  endpoints: readonly Endpoint[],
  given: { zone?: string; priority?: number; weight?: number } = {},
): LocalityEndpoints {
  return {
    locality: { region: '', zone: given.zone ?? '', subZone: '' },
    priority: given.priority ?? 0,
    weight: given.weight ?? 0,
    endpoints,
  };
}

export function makeAssignment(
  localities: readonly LocalityEndpoints[],
  overprovisioningFactorPercent = 140,
): LoadAssignment {
  return { localities, overprovisioningFactorPercent };
}

export function makeCluster(given: Partial<Cluster> = {}): Cluster {
  const breaker = {
    maxConnections: 1024,
    maxPendingRequests: 1024,
    maxRequests: 1024,
    maxRetries: 3,
    trackRemaining: false,
  };
  return {
    name: 'fruit',
    statName: given.name ?? 'fruit',
    discovery: { kind: 'static', assignment: makeAssignment([]) },
    connectTimeoutMs: 5000,
    perConnectionBufferLimitBytes: 1_048_576,
    loadBalancer: { policy: { kind: 'round-robin' }, localityWeighted: false, healthyPanicThresholdPercent: 50 },
    circuitBreakers: { default: breaker, high: breaker },
    upstreamHttp: {
      protocol: 'http1',
      idleTimeoutMs: 3_600_000,
      maxConnectionDurationMs: 0,
      maxRequestsPerConnection: 0,
      maxResponseHeadersKb: 60,
      maxResponseHeadersCount: 100,
      enableTrailers: false,
    },
    transport: { kind: 'plain' },
    transportMatches: [],
    metadata: {},
    ...given,
  };
}

export function makeContext(given: Partial<ChooseContext> = {}): ChooseContext {
  return {
    random: seededRandom(1),
    excluded: null,
    hostSelectionMaxAttempts: 1,
    originalDestination: '',
    originalDestinationHeader: null,
    ...given,
  };
}

/** Real counters in memory of their own, which knows what was taken and not given back. `store` lets them be read. */
export function makeStatsSource(store?: StatsStore): StatsSource & { readonly blocksInUse: () => number } {
  let blocks = 0;
  const stats = new WorkerStats((message) => {
    store?.accept(0, message);
    if (message.kind === 'block') blocks++;
    if (message.kind === 'release') blocks--;
  });
  return {
    clusterBlock: (name) => stats.block(clusterStats, name),
    responseBlock: (name, caller) => stats.block(callerResponseStats[caller], name),
    breakerBlock: (name, priority) => stats.block(circuitBreakerStats[priority], name),
    endpointBlock: (name, address) => stats.block(endpointStats, name, address),
    release: (block) => stats.release(block),
    blocksInUse: () => blocks,
  };
}

/** For clusters whose connections are plain: nobody asks it. */
export const noTls: ClientTlsSource = {
  client: () => {
    throw new Error('no TLS was expected');
  },
};

export function makeOwner(): EndpointOwner {
  const statsSource = makeStatsSource();
  return { statName: 'fruit', stats: statsSource.clusterBlock('fruit'), statsSource, transportFor: () => null };
}
