// What the live page says of a listener: where it listens, what each filter chain does, and how it goes.

import { formatAddress } from '../../config/address.ts';
import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { FilterChain, Listener, TcpProxy } from '../../config/listener.ts';
import { filterChainsOf } from '../../config/references.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import { tcpStats } from '../telemetry/tcp-stats.ts';
import type { AdminContext } from './admin-context.ts';
import { latencyOf } from './latency.ts';
import { purposeOf, securityOfChain } from './security-overview.ts';

export function listenerOverview(context: AdminContext, listener: Listener): unknown {
  const bound = context.state.listeners.filter((each) => each.name === listener.name).map((each) => each.address);
  return {
    name: listener.name,
    direction: listener.trafficDirection === 'unspecified' ? '' : listener.trafficDirection,
    addresses: bound.length > 0 ? bound : [formatAddress(listener.address)],
    isBound: listener.bindToPort,
    chains: filterChainsOf(listener).map((chain) => ({
      security: securityOfChain(chain),
      purpose: purposeOf(chain),
      ...chainOverview(context, chain),
    })),
  };
}

function chainOverview(context: AdminContext, chain: FilterChain): object {
  const terminal = chain.filters[chain.filters.length - 1];
  switch (terminal?.kind) {
    case 'tcp-proxy':
      return tcpOverview(context, terminal.config);
    case 'http-connection-manager':
      return httpOverview(context, terminal.config);
    case undefined:
      return { kind: 'closed', statPrefix: '' };
  }
}

function tcpOverview({ store }: AdminContext, { statPrefix, clusters }: TcpProxy): object {
  const group = store.get(tcpStats, statPrefix);
  const value = (index: number): number => group?.value(index) ?? 0;
  return {
    kind: 'TCP',
    statPrefix,
    clusters: clusters.map((cluster) => cluster.name),
    connections: value(tcpStats.downstreamCxTotal),
    receivedBytes: value(tcpStats.downstreamCxRxBytesTotal),
    sentBytes: value(tcpStats.downstreamCxTxBytesTotal),
  };
}

function httpOverview({ store, state }: AdminContext, { statPrefix, routes }: HttpConnectionManager): object {
  const group = store.get(httpStats, statPrefix);
  const value = (index: number): number => group?.value(index) ?? 0;
  const table = routes.kind === 'inline' ? routes.routes : state.snapshot?.routes.get(routes.name);
  const virtualHosts = table?.virtualHosts ?? [];
  return {
    kind: 'HTTP',
    statPrefix,
    virtualHosts: virtualHosts.length,
    routes: virtualHosts.reduce((sum, host) => sum + host.routes.length, 0),
    requests: value(httpStats.downstreamRqTotal),
    active: value(httpStats.downstreamRqActive),
    connections: value(httpStats.downstreamCxActive),
    answered: {
      '2xx': value(httpStats.downstreamRq2xx),
      '3xx': value(httpStats.downstreamRq3xx),
      '4xx': value(httpStats.downstreamRq4xx),
      '5xx': value(httpStats.downstreamRq5xx),
    },
    latencyMs: latencyOf(group, httpStats.downstreamRqTime),
  };
}
