// Istio's filters in one worker: what they have in common, which is who this proxy is and the room for its metrics.

import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import type { IstioStats } from '../../config/istio-filter.ts';
import type { TcpProxy } from '../../config/listener.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { MetricSeries } from './metric-series.ts';
import { httpMetrics, MetricGroups, tcpMetrics } from './metric-tags.ts';
import { PeerMetadataHeaders } from './peer-metadata.ts';
import { IstioRequestStats } from './request-stats.ts';
import { IstioTcpStats } from './tcp-stats.ts';
import { type WorkloadNode, workloadOfNode } from './workload.ts';

export interface WorkerIstioOptions {
  readonly stats: WorkerStats;
  /** Series of metrics in this worker, each with up to four metrics. */
  readonly maxSeries: number;
}

export class WorkerIstio {
  #node: WorkloadNode = { id: '', metadata: {}, region: '', zone: '' };
  readonly #groups = new MetricGroups();
  readonly #series: MetricSeries;

  constructor({ stats, maxSeries }: WorkerIstioOptions) {
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

  #shared(config: IstioStats, isOutbound: boolean) {
    return { config, isOutbound, series: this.#series, own: workloadOfNode(this.#node, []) };
  }

  /** Called once a second or so. */
  cleanUp(nowMs: number): void {
    this.#series.cleanUp(nowMs);
  }
}
