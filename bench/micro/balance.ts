// Nanoseconds a choice of an endpoint, and bytes a cluster that nobody uses: `node --expose-gc bench/micro/balance.ts
// [--seconds N]`. One thread; the best of several rounds, because on a shared machine every disturbance only adds.

import { parseArgs } from 'node:util';
import type { Cluster, LoadBalancer } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { ChooseContext } from '../../proxy/cluster/balancer.ts';
import { ClusterTable } from '../../proxy/cluster/cluster-table.ts';
import type { StatsSource } from '../../proxy/cluster/stats-source.ts';
import { callerResponseStats, circuitBreakerStats, clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../proxy/telemetry/endpoint-stats.ts';
import { WorkerStats } from '../../proxy/telemetry/worker-stats.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '5' } } });
const rounds = 10;
const choicesPerBatch = 100_000;

type Policy = LoadBalancer['policy'];
const roundRobin: Policy = { kind: 'round-robin' };
const leastRequest: Policy = { kind: 'least-request', choiceCount: 2, activeRequestBias: 1 };

interface Case {
  readonly name: string;
  readonly policy: Policy;
  readonly endpoints: number;
  readonly localities?: number;
  readonly priorities?: number;
  readonly weighted?: boolean;
}

const cases: readonly Case[] = [
  { name: 'round robin, 1 endpoint', policy: roundRobin, endpoints: 1 },
  { name: 'round robin, 10', policy: roundRobin, endpoints: 10 },
  { name: 'round robin, 10 weighted', policy: roundRobin, endpoints: 10, weighted: true },
  { name: 'round robin, 1000 weighted', policy: roundRobin, endpoints: 1000, weighted: true },
  { name: 'least request, 10', policy: leastRequest, endpoints: 10 },
  { name: 'least request, 1000', policy: leastRequest, endpoints: 1000 },
  { name: 'least request, 10 weighted', policy: leastRequest, endpoints: 10, weighted: true },
  { name: 'random, 10', policy: { kind: 'random' }, endpoints: 10 },
  { name: 'least request, 3 localities of 10', policy: leastRequest, endpoints: 10, localities: 3 },
  { name: 'least request, 2 priorities of 10', policy: leastRequest, endpoints: 10, priorities: 2 },
];

const stats = new WorkerStats(() => undefined);
const statsSource: StatsSource = {
  clusterBlock: (name) => stats.block(clusterStats, name),
  responseBlock: (name, caller) => stats.block(callerResponseStats[caller], name),
  breakerBlock: (name, priority) => stats.block(circuitBreakerStats[priority], name),
  endpointBlock: (name, address) => stats.block(endpointStats, name, address),
  release: (block) => stats.release(block),
};
const context: ChooseContext = {
  random: Math.random,
  excluded: null,
  hostSelectionMaxAttempts: 1,
  originalDestination: '',
  originalDestinationHeader: null,
};

for (const each of cases) console.log(`${each.name.padEnd(36)} ${measure(each).toFixed(1).padStart(7)} ns`);
console.log(`${'unused cluster in a table of 10,000'.padEnd(36)} ${measureMemory().toFixed(0).padStart(7)} B`);

function measure(each: Case): number {
  const table = makeTable([makeCluster('fruit', each)], [['fruit', makeAssignment(each)]]);
  const roundMs = (Number(values.seconds) * 1000) / rounds / cases.length;
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    let batches = 0;
    for (; performance.now() - start < roundMs; batches++) {
      for (let choice = 0; choice < choicesPerBatch; choice++) table.get('fruit')!.chooseEndpoint(context);
    }
    best = Math.min(best, (performance.now() - start) / (batches * choicesPerBatch));
  }
  return best * 1e6;
}

/** What a table adds to the configuration it is given. */
function measureMemory(): number {
  const clusters = Array.from({ length: 10_000 }, (_, i) => makeCluster(`cluster ${i}`, cases[0]!));
  const before = heapUsed();
  const table = makeTable(clusters, []);
  const after = heapUsed();
  return (after - before) / table.size;
}

function heapUsed(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

function makeTable(
  clusters: readonly Cluster[],
  assignments: readonly (readonly [string, LoadAssignment])[],
): ClusterTable {
  const table = new ClusterTable({
    random: Math.random,
    clock: () => performance.now(),
    statsSource,
    tls: undefined as never,
  });
  table.apply({
    clusters: { set: clusters.map((cluster) => [cluster.name, cluster] as const), removed: [] },
    assignments: { set: assignments, removed: [] },
  });
  return table;
}

function makeAssignment({ endpoints, localities = 1, priorities = 1, weighted = false }: Case): LoadAssignment {
  const groups = Array.from({ length: localities * priorities }, (_, group) => ({
    locality: { region: '', zone: `zone ${group}`, subZone: '' },
    priority: group % priorities,
    weight: group + 1,
    endpoints: Array.from({ length: endpoints }, (_, i) => ({
      address: { kind: 'ip', ip: `10.${group}.${i >> 8}.${i & 255}`, port: 80 } as const,
      hostname: '',
      weight: weighted ? (i % 7) + 1 : 1,
      // With priorities, half of the first is gone, so that both are used.
      health: priorities > 1 && group === 0 && i % 2 === 0 ? ('unhealthy' as const) : ('healthy' as const),
      metadata: {},
    })),
  }));
  return { localities: groups, overprovisioningFactorPercent: 140 };
}

function makeCluster(name: string, { policy, localities = 1 }: Case): Cluster {
  const breaker = {
    maxConnections: 1024,
    maxPendingRequests: 1024,
    maxRequests: 1024,
    maxRetries: 3,
    trackRemaining: false,
  };
  return {
    name,
    statName: name,
    discovery: { kind: 'static', assignment: { localities: [], overprovisioningFactorPercent: 140 } },
    connectTimeoutMs: 5000,
    perConnectionBufferLimitBytes: 1_048_576,
    loadBalancer: { policy, localityWeighted: localities > 1, healthyPanicThresholdPercent: 50 },
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
  };
}
