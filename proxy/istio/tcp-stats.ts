// Counts TCP connections for Istio's metrics: `istio_tcp_connections_opened_total`, `…_closed_total` and the bytes of both
// directions, which are added now and then while a connection is open.

import type { IstioStats } from '../../config/istio-filter.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { MetricSeries, SeriesEntry } from './metric-series.ts';
import type { MetricGroup, TagValues } from './metric-tags.ts';
import { endpointWorkload, responseFlagsText } from './request-stats.ts';
import { principalsOf, serviceOf, trafficTags } from './tag-values.ts';
import type { Workload } from './workload.ts';

export interface IstioTcpStatsOptions {
  readonly config: IstioStats;
  readonly groups: readonly MetricGroup[];
  readonly series: MetricSeries;
  readonly own: Workload;
  readonly isOutbound: boolean;
}

export class IstioTcpStats {
  readonly options: IstioTcpStatsOptions;

  constructor(options: IstioTcpStatsOptions) {
    this.options = options;
  }

  /** How often open connections are to be reported; 0 is at their end only. */
  get reportingIntervalMs(): number {
    return this.options.config.tcpReportingIntervalMs;
  }

  begin(): IstioTcpConnection {
    return new IstioTcpConnection(this.options);
  }
}

/** One connection. What it is counted under is known, and stays, from its first report on. */
export class IstioTcpConnection {
  readonly #options: IstioTcpStatsOptions;
  #tags: TagValues | null = null;
  #entries: readonly SeriesEntry[] = [];
  #version = -1;
  #sentBytes = 0;
  #receivedBytes = 0;
  /** The peer is about to tell of itself: nothing is counted before, but at the end. */
  #isPeerAwaited = false;
  #peer: Workload | null = null;

  constructor(options: IstioTcpStatsOptions) {
    this.#options = options;
  }

  awaitPeer(): void {
    this.#isPeerAwaited = true;
  }

  /** Null when it has not told after all. */
  onPeer(peer: Workload | null): void {
    this.#isPeerAwaited = false;
    this.#peer = peer;
  }

  /** When it is connected, now and then, and at its end. `cluster` is null when there is none. */
  report(info: StreamInfo, cluster: ClusterRuntime | null): void {
    if (!this.#isPeerAwaited) this.#count(info, cluster);
  }

  #count(info: StreamInfo, cluster: ClusterRuntime | null): void {
    const isFirst = this.#tags === null;
    this.#tags ??= this.#tagsOf(info, cluster);
    if (this.#version !== this.#options.series.version) this.#open(this.#tags);
    const { groups } = this.#options;
    for (let at = 0; at < groups.length; at++) {
      const { index } = groups[at]!;
      const entry = this.#entries[at]!;
      const { block } = entry;
      entry.isUsed = true;
      if (isFirst && index.tcp_connections_opened_total !== undefined) block.inc(index.tcp_connections_opened_total);
      // Sent is what the client gets, whoever reports it.
      if (index.tcp_sent_bytes_total !== undefined)
        block.add(index.tcp_sent_bytes_total, info.responseBodyBytes - this.#sentBytes);
      if (index.tcp_received_bytes_total !== undefined)
        block.add(index.tcp_received_bytes_total, info.requestBodyBytes - this.#receivedBytes);
    }
    this.#sentBytes = info.responseBodyBytes;
    this.#receivedBytes = info.requestBodyBytes;
  }

  end(info: StreamInfo, cluster: ClusterRuntime | null): void {
    this.#count(info, cluster);
    const { groups } = this.#options;
    for (let at = 0; at < groups.length; at++) {
      const closed = groups[at]!.index.tcp_connections_closed_total;
      if (closed !== undefined) this.#entries[at]!.block.inc(closed);
    }
  }

  #tagsOf(info: StreamInfo, cluster: ClusterRuntime | null): TagValues {
    const { isOutbound, own } = this.#options;
    const peer = this.#peer ?? (isOutbound ? endpointWorkload(info) : null);
    const principals = principalsOf(isOutbound ? info.upstreamTls : info.downstreamTls);
    return {
      ...trafficTags({ isOutbound, own, peer, principals, service: serviceOf(cluster, '', '') }),
      request_protocol: 'tcp',
      response_code: '',
      grpc_response_status: '',
      response_flags: responseFlagsText(info.responseFlags),
    };
  }

  #open(tags: TagValues): void {
    const { groups, series } = this.#options;
    const entries: SeriesEntry[] = [];
    for (const group of groups) {
      const names = group.names(tags, noParts);
      entries.push(series.open({ set: group.set, names, otherNames: group.otherNames(names) }));
    }
    this.#entries = entries;
    this.#version = series.version;
  }
}

const noParts = { host: '', method: '' };
