// The facts behind the live page: totals a second apart make its rates.

import { formatAddress } from '../../config/address.ts';
import type { Listener } from '../../config/listener.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import type { HistogramSummary } from '../telemetry/histogram.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import { tcpStats } from '../telemetry/tcp-stats.ts';
import type { AdminContext } from './server.ts';

/** How many clusters the page lists; of 10,000 nobody reads more. */
const clusterLimit = 200;

export function overview(context: AdminContext, _query: URLSearchParams): unknown {
  const { state, pool } = context;
  return {
    atMs: Date.now(),
    state: state.name,
    version: state.options.version,
    uptimeSeconds: Math.floor((Date.now() - state.startedAtMs) / 1000),
    generations: pool.generations,
    rssBytes: process.memoryUsage.rss(),
    listeners: [...(state.snapshot?.listeners.values() ?? [])].map((listener) => listenerFacts(context, listener)),
    clusterCount: state.snapshot?.clusters.size ?? 0,
    clusters: clusterFacts(context),
  };
}

function listenerFacts({ state, store }: AdminContext, listener: Listener): unknown {
  const bound = state.listeners.filter((each) => each.name === listener.name).map((each) => each.address);
  const chains =
    listener.defaultFilterChain === undefined
      ? listener.filterChains
      : [...listener.filterChains, listener.defaultFilterChain];
  return {
    name: listener.name,
    addresses: bound.length > 0 ? bound : [formatAddress(listener.address)],
    chains: chains.map((chain) => {
      const terminal = chain.filters[chain.filters.length - 1];
      if (terminal === undefined) return null;
      if (terminal.kind === 'tcp-proxy') {
        const group = store.get(tcpStats, terminal.config.statPrefix);
        return {
          kind: 'TCP',
          statPrefix: terminal.config.statPrefix,
          to: terminal.config.clusters.map((cluster) => cluster.name).join(', '),
          connections: group?.value(tcpStats.downstreamCxTotal) ?? 0,
          bytes:
            (group?.value(tcpStats.downstreamCxRxBytesTotal) ?? 0) +
            (group?.value(tcpStats.downstreamCxTxBytesTotal) ?? 0),
        };
      }
      const group = store.get(httpStats, terminal.config.statPrefix);
      const value = (index: number): number => group?.value(index) ?? 0;
      return {
        kind: 'HTTP',
        statPrefix: terminal.config.statPrefix,
        virtualHosts: terminal.config.routes.routes.virtualHosts.length,
        routes: terminal.config.routes.routes.virtualHosts.reduce((sum, host) => sum + host.routes.length, 0),
        requests: value(httpStats.downstreamRqTotal),
        active: value(httpStats.downstreamRqActive),
        open: value(httpStats.downstreamCxActive),
        answered: {
          '2xx': value(httpStats.downstreamRq2xx),
          '3xx': value(httpStats.downstreamRq3xx),
          '4xx': value(httpStats.downstreamRq4xx),
          '5xx': value(httpStats.downstreamRq5xx),
        },
        latencyMs: latency(group?.histogram(httpStats.downstreamRqTime)),
      };
    }),
  };
}

function latency(summary: HistogramSummary | undefined): unknown {
  if (summary === undefined || summary.count === 0) return null;
  const [p50, p90, p99] = summary.quantiles([0.5, 0.9, 0.99]);
  return { p50, p90, p99 };
}

function clusterFacts({ state, store }: AdminContext): unknown {
  const facts: unknown[] = [];
  for (const [name, cluster] of state.snapshot?.clusters ?? []) {
    if (facts.length === clusterLimit) break;
    const group = store.get(clusterStats, cluster.statName);
    const value = (index: number): number => group?.value(index) ?? 0;
    const assignment =
      state.snapshot?.assignments.get(name) ??
      (cluster.discovery.kind === 'static' ? cluster.discovery.assignment : undefined);
    facts.push({
      name,
      discovery: cluster.discovery.kind,
      balancer: cluster.loadBalancer.policy.kind,
      endpoints: (assignment?.localities ?? []).flatMap((group) =>
        group.endpoints.map((endpoint) => ({ address: formatAddress(endpoint.address), health: endpoint.health })),
      ),
      requests: value(clusterStats.upstreamRqTotal),
      active: value(clusterStats.upstreamRqActive),
      connections: value(clusterStats.upstreamCxActive),
      retries: value(clusterStats.upstreamRqRetry),
      failures: value(clusterStats.upstreamRq5xx) + value(clusterStats.upstreamCxConnectFail),
    });
  }
  return facts;
}
