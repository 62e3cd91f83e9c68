// Istio's filters in one worker: what they have in common, which is who this proxy is and the room for its metrics.

import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { IstioStats, TcpMetadataExchange } from '../../config/istio-filter.ts';
import type { TcpProxy } from '../../config/listener.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { metadataExchangeStats } from '../telemetry/metadata-exchange-stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { MetricSeries } from './metric-series.ts';
import { httpMetrics, MetricGroups, tcpMetrics } from './metric-tags.ts';
import { PeerMetadataHeaders } from './peer-metadata.ts';
import { IstioRequestStats } from './request-stats.ts';
import { TcpExchange } from './tcp-exchange.ts';
import { IstioTcpStats } from './tcp-stats.ts';
import { type WorkloadNode, workloadOfNode } from './workload.ts';

export interface WorkerIstioOptions {
  readonly stats: WorkerStats;
  /** Series of metrics in this worker, each with up to four metrics. */
  readonly maxSeries: number;
}

export class WorkerIstio {
  #node: WorkloadNode = { id: '', metadata: {}, region: '', zone: '' };
  readonly #stats: WorkerStats;
  readonly #groups = new MetricGroups();
  readonly #series: MetricSeries;
  /** By what is different between them: clusters and filter chains by the thousand have the same. */
  readonly #exchanges = new Map<string, TcpExchange>();

  constructor({ stats, maxSeries }: WorkerIstioOptions) {
    this.#stats = stats;
    this.#series = new MetricSeries(stats, maxSeries);
  }

  /** Before the first connection manager is compiled. */
  identify(node: Pick<WorkloadNode, 'id' | 'zone'> & Partial<WorkloadNode>): void {
    this.#node = { metadata: {}, region: '', ...node };
  }

  /** Null where nothing is exchanged. */
  compilePeerMetadata({ peerMetadata }: HttpConnectionManager): PeerMetadataHeaders | null {
    return peerMetadata === undefined ? null : new PeerMetadataHeaders(peerMetadata, this.#node);
  }

  /** Null without the filter. `isOutbound` is of the listener. */
  compileRequestStats({ istioStats }: HttpConnectionManager, isOutbound: boolean): IstioRequestStats | null {
    if (istioStats === undefined) return null;
    const groups = this.#groups.compile(httpMetrics, { config: istioStats, nodeMetadata: this.#node.metadata });
    return new IstioRequestStats({ groups, ...this.#shared(istioStats, isOutbound) });
  }

  /** As `compileRequestStats`, of connections. */
  compileTcpStats({ istioStats }: TcpProxy, isOutbound: boolean): IstioTcpStats | null {
    if (istioStats === undefined) return null;
    const groups = this.#groups.compile(tcpMetrics, { config: istioStats, nodeMetadata: this.#node.metadata });
    return new IstioTcpStats({ groups, ...this.#shared(istioStats, isOutbound) });
  }

  /** Of connections, from the first one on. */
  exchange(config: TcpMetadataExchange, reactor: Reactor): TcpExchange {
    const key = `${config.protocol}\0${config.additionalLabels.join('\0')}`;
    const known = this.#exchanges.get(key);
    if (known !== undefined) return known;
    const stats = this.#stats.block(metadataExchangeStats);
    const exchange = new TcpExchange({ reactor, config, node: this.#node, stats });
    this.#exchanges.set(key, exchange);
    return exchange;
  }

  #shared(config: IstioStats, isOutbound: boolean) {
    return { config, isOutbound, series: this.#series, own: workloadOfNode(this.#node, []) };
  }

  /** Called once a second or so. */
  cleanUp(nowMs: number): void {
    this.#series.cleanUp(nowMs);
  }
}
