// tcp_proxy of one filter chain: bytes between a downstream connection and one endpoint, half closes included. Bulk
// is moved inside the kernel (`tcp-session.ts` relays each stream to the other).
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/tcp_proxy_filter

import type { TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { TcpProxy } from '../../config/listener.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { LogType } from '../format/format-context.ts';
import type { HttpContext } from '../http/connection-manager.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { TcpExchange } from '../istio/tcp-exchange.ts';
import type { IstioTcpStats } from '../istio/tcp-stats.ts';
import type { AccessLogger } from '../telemetry/access-log.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { TcpUpstream } from './tcp-upstream.ts';

export interface TcpProxyOptions {
  readonly config: TcpProxy;
  readonly context: HttpContext;
  readonly stats: StatBlock;
  readonly accessLoggers: readonly AccessLogger[];
  /** Null, or absent, without Istio's metrics. */
  readonly istioStats?: IstioTcpStats | null;
  /** Whoever tells peers of Istio of this proxy; nobody is told when absent. */
  readonly exchange?: (config: TcpMetadataExchange) => TcpExchange;
}

/** Why there is no attempt at an endpoint. */
export type AttemptRefusal =
  | { readonly kind: 'no-cluster'; readonly cluster: null }
  /** None that is healthy. */
  | { readonly kind: 'no-endpoint'; readonly cluster: ClusterRuntime }
  /** As many connections as the circuit breaker allows. */
  | { readonly kind: 'overflow'; readonly cluster: ClusterRuntime };

export class TcpProxyFilter {
  readonly config: TcpProxy;
  readonly context: HttpContext;
  readonly stats: StatBlock;
  readonly istioStats: IstioTcpStats | null;
  /** With clients; null without. */
  readonly exchange: TcpExchange | null;
  readonly #exchange: ((config: TcpMetadataExchange) => TcpExchange) | undefined;
  readonly #accessLoggers: readonly AccessLogger[];

  constructor(options: TcpProxyOptions) {
    this.config = options.config;
    this.context = options.context;
    this.stats = options.stats;
    this.#accessLoggers = options.accessLoggers;
    this.istioStats = options.istioStats ?? null;
    this.#exchange = options.exchange;
    this.exchange = this.#exchangeOf(options.config.metadataExchange);
  }

  /** Begins to connect to an endpoint. Nothing is counted of a refusal: who needed the attempt does that. */
  attempt(originalDestination: string): TcpUpstream | AttemptRefusal {
    const { reactor, chooseContext } = this.context;
    const cluster = this.chooseCluster();
    if (cluster === null) return noCluster;
    chooseContext.excluded = null;
    chooseContext.originalDestination = originalDestination;
    const endpoint = cluster.chooseEndpoint(chooseContext);
    if (endpoint === null) return { kind: 'no-endpoint', cluster };
    if (!cluster.breakers.default.tryAcquireConnection()) return { kind: 'overflow', cluster };
    const limitBytes = cluster.config.perConnectionBufferLimitBytes || Number.POSITIVE_INFINITY;
    const exchange = this.#exchangeOf(cluster.config.metadataExchange);
    return new TcpUpstream({ reactor, cluster, endpoint, limitBytes, exchange });
  }

  #exchangeOf(config: TcpMetadataExchange | undefined): TcpExchange | null {
    return config === undefined ? null : (this.#exchange?.(config) ?? null);
  }

  /** The cluster of a new connection: the only one, or one by weight. */
  chooseCluster(): ClusterRuntime | null {
    const { clusters, totalWeight } = this.config;
    let pick = clusters.length === 1 ? 0 : this.context.random() * totalWeight;
    for (const cluster of clusters) {
      pick -= cluster.weight;
      if (pick < 0 || clusters.length === 1) return this.context.clusters.get(cluster.name);
    }
    return null;
  }

  log(info: StreamInfo, logType: LogType): void {
    for (const logger of this.#accessLoggers) {
      logger.log({ info, request: null, response: null, responseTrailers: null, localReplyBody: '', logType });
    }
  }
}

const noCluster: AttemptRefusal = { kind: 'no-cluster', cluster: null };
