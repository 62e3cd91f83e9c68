// What is counted of a downstream connection at its beginning and at its end, whatever codec serves it.

import { httpStats } from '../telemetry/http-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';

/** A connection that is gone. */
export interface EndedConnection {
  /** The client ended it, or the network. */
  readonly isRemote: boolean;
  /** A request was under way. */
  readonly hadRequest: boolean;
  /** Absent: no. */
  readonly isTls?: boolean;
  readonly lengthMs: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

export function countOpened(stats: StatBlock, isTls = false): void {
  stats.inc(httpStats.downstreamCxTotal);
  stats.inc(httpStats.downstreamCxActive);
  stats.inc(httpStats.downstreamCxHttp1Total);
  stats.inc(httpStats.downstreamCxHttp1Active);
  if (!isTls) return;
  stats.inc(httpStats.downstreamCxSslTotal);
  stats.inc(httpStats.downstreamCxSslActive);
}

export function countEnded(stats: StatBlock, ended: EndedConnection): void {
  if (ended.hadRequest) {
    stats.inc(httpStats.downstreamCxDestroyActiveRq);
    const { downstreamCxDestroyLocalActiveRq, downstreamCxDestroyRemoteActiveRq } = httpStats;
    stats.inc(ended.isRemote ? downstreamCxDestroyRemoteActiveRq : downstreamCxDestroyLocalActiveRq);
  }
  stats.dec(httpStats.downstreamCxActive);
  stats.dec(httpStats.downstreamCxHttp1Active);
  if (ended.isTls === true) stats.dec(httpStats.downstreamCxSslActive);
  stats.inc(httpStats.downstreamCxDestroy);
  stats.inc(ended.isRemote ? httpStats.downstreamCxDestroyRemote : httpStats.downstreamCxDestroyLocal);
  stats.record(httpStats.downstreamCxLengthMs, ended.lengthMs);
  stats.add(httpStats.downstreamCxRxBytesTotal, ended.receivedBytes);
  stats.add(httpStats.downstreamCxTxBytesTotal, ended.sentBytes);
}
