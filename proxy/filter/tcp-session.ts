// One connection of tcp_proxy: finds an endpoint, passes bytes and half closes both ways, and is logged once at its end.
//
// Each side closes by itself when both its directions have ended in order, after all that waits was taken. So an orderly
// end of one side asks nothing of the other; only a reset, a deadline or a failure to connect does.

import { formatAddress } from '../../config/address.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import { connectFailure } from '../cluster/upstream-failure.ts';
import type { LogType } from '../format/format-context.ts';
import type { ConnectionFacts } from '../http/connection-facts.ts';
import type { ConnectionCounter } from '../http/connection-manager.ts';
import { transportFailureReason } from '../http/failure-reply.ts';
import { ResponseFlag, StreamInfo } from '../http/stream-info.ts';
import { noteCluster, noteDownstream } from '../http/stream-notes.ts';
import type { ExchangingHandler } from '../istio/tcp-exchange.ts';
import type { IstioTcpConnection } from '../istio/tcp-stats.ts';
import type { Workload } from '../istio/workload.ts';
import type { ByteStream, CloseReason, Relay } from '../reactor/byte-stream.ts';
import { Deadlines } from '../reactor/deadlines.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { tcpStats } from '../telemetry/tcp-stats.ts';
import type { AttemptRefusal, TcpProxyFilter } from './tcp-proxy.ts';
import { TcpUpstream, type TcpUpstreamHandler } from './tcp-upstream.ts';

const Deadline = { idle: 0, maxDuration: 1, logFlush: 2, istioStats: 3, count: 4 } as const;

export class TcpSession implements ExchangingHandler, Relay, TcpUpstreamHandler {
  readonly limitBytes: number;
  readonly #filter: TcpProxyFilter;
  readonly #downstream: ByteStream;
  readonly #facts: ConnectionFacts;
  readonly #counter: ConnectionCounter;
  readonly #deadlines: Deadlines;
  readonly #info = new StreamInfo();
  /** Null without Istio's metrics. */
  readonly #istio: IstioTcpConnection | null;
  #cluster: ClusterRuntime | null = null;
  #upstream: TcpUpstream | null = null;
  #isDownstreamPaused = false;
  #isUpstreamPaused = false;
  #downstreamEnded = false;
  #isDownstreamGone = false;
  /** The downstream is gone in order, and bytes for the endpoint wait. */
  #isFlushing = false;

  /** It has not begun: by `connect`, or by `take` with an attempt that was made before. */
  constructor(filter: TcpProxyFilter, downstream: ByteStream, facts: ConnectionFacts, counter: ConnectionCounter) {
    this.#filter = filter;
    this.#downstream = downstream;
    this.#facts = facts;
    this.#counter = counter;
    this.limitBytes = facts.bufferLimitBytes > 0 ? facts.bufferLimitBytes : Number.POSITIVE_INFINITY;
    const { context, config } = filter;
    this.#deadlines = new Deadlines(context.reactor, this, Deadline.count);
    this.#deadlines.set(Deadline.maxDuration, config.maxDownstreamConnectionDurationMs);
    this.#deadlines.set(Deadline.logFlush, config.accessLogFlushIntervalMs);
    this.#istio = filter.istioStats?.begin() ?? null;
    const info = this.#info;
    info.startedAtMs = context.reactor.nowMs;
    info.startWallMs = context.wallOffsetMs + info.startedAtMs;
    noteDownstream(info, facts);
    filter.stats.inc(tcpStats.downstreamCxTotal);
    downstream.handler = this;
    if (filter.exchange?.begin(downstream, this, facts.tls?.alpn ?? '') && !this.#isOutbound) this.#istio?.awaitPeer();
  }

  get #isOutbound(): boolean {
    return this.#filter.istioStats?.options.isOutbound === true;
  }

  /** The client; counted where it is the peer. */
  onPeer(peer: Workload | null): void {
    this.#info.downstreamPeer = peer;
    if (!this.#isOutbound) this.#onCountedPeer(peer);
  }

  /** The endpoint, as `onPeer`. */
  onUpstreamPeer(peer: Workload | null): void {
    this.#info.upstreamPeer = peer;
    if (this.#isOutbound) this.#onCountedPeer(peer);
  }

  #onCountedPeer(peer: Workload | null): void {
    this.#istio?.onPeer(peer);
    if (this.#upstream?.isEstablished) this.#istio?.report(this.#info, this.#cluster);
  }

  onExchangeFailed(reason: string): void {
    this.#upstream?.stream.reset();
    this.#giveUp(ResponseFlag.downstreamProtocolError, `metadata of the client: ${reason}`);
  }

  /** The upstream closes. */
  onUpstreamExchangeFailed(reason: string): void {
    this.#info.upstreamTransportFailureReason = reason;
    this.#giveUp(ResponseFlag.upstreamProtocolError, `metadata of the endpoint: ${reason}`);
  }

  /** Begins an attempt at an endpoint. Every outcome is a callback of the upstream or the end of the downstream. */
  connect(): void {
    const attempt = this.#filter.attempt(this.#facts.originalDestination ?? '');
    if (attempt instanceof TcpUpstream) this.take(attempt);
    else this.#refuse(attempt);
  }

  /** In place of `connect`: goes on with an attempt that was begun before there was a session. */
  take(upstream: TcpUpstream): void {
    const { cluster, endpoint } = upstream;
    this.#upstream = upstream;
    this.#cluster = cluster;
    noteCluster(this.#info, cluster);
    this.#info.attemptCount++;
    this.#info.upstreamRemoteAddress = endpoint.addressText;
    this.#info.endpointMetadata = endpoint.metadata;
    upstream.attach(this, this.#downstream);
  }

  #refuse({ kind, cluster }: AttemptRefusal): void {
    if (cluster === null) {
      this.#filter.stats.inc(tcpStats.downstreamCxNoRoute);
      this.#giveUp(ResponseFlag.noClusterFound, 'the cluster is not known');
      return;
    }
    this.#cluster = cluster;
    noteCluster(this.#info, cluster);
    if (kind === 'no-endpoint') {
      cluster.stats.inc(clusterStats.upstreamCxNoneHealthy);
      this.#giveUp(ResponseFlag.noHealthyUpstream, `cluster ${cluster.name} has no healthy endpoint`);
    } else {
      cluster.stats.inc(clusterStats.upstreamCxOverflow);
      this.#giveUp(ResponseFlag.upstreamOverflow, `max_connections of cluster ${cluster.name} is reached`);
    }
  }

  onUpstreamConnected(): void {
    const upstream = this.#upstream!;
    this.#touch();
    const local = upstream.stream.localAddress();
    if (local !== undefined) this.#info.upstreamLocalAddress = formatAddress(local);
    this.#info.upstreamTls = upstream.tls;
    this.#info.upstreamConnectionNumber = upstream.connectionNumber;
    this.#info.upstreamWaitMs = upstream.connectMs;
    this.#info.upstreamPeer = upstream.peer ?? null;
    if (this.#filter.config.flushAccessLogOnConnected) this.#log('TcpUpstreamConnected');
    if (this.#istio !== null) this.#beginReports(this.#istio, upstream.peer);
    this.#downstream.relayTo(this);
    upstream.stream.relayTo(upstream);
    this.#downstream.resumeReading();
    if (this.#downstreamEnded) upstream.stream.endWriting();
  }

  /** Where relayed bytes of the downstream go. */
  get sink(): ByteStream {
    return this.#upstream!.stream;
  }

  /** An accepted connection is established from the start. */
  onConnected(): void {}

  onData(buffer: NativeBuffer, start: number, end: number): number {
    const upstream = this.#upstream;
    if (upstream === null || !upstream.isEstablished) {
      this.#downstream.pauseReading();
      return 0;
    }
    upstream.stream.write(buffer, start, end);
    this.onRelayed(end - start);
    return end - start;
  }

  onRelayed(count: number): void {
    const upstream = this.#upstream!;
    this.#touch();
    this.#info.requestBodyBytes += count;
    this.#filter.stats.add(tcpStats.downstreamCxRxBytesTotal, count);
    upstream.countSent(count);
    if (upstream.stream.pendingWriteBytes === 0 || this.#isDownstreamPaused) return;
    this.#isDownstreamPaused = true;
    this.#filter.stats.inc(tcpStats.downstreamFlowControlPausedReadingTotal);
    this.#downstream.pauseReading();
  }

  onUpstreamBytes(count: number): void {
    this.#touch();
    this.#info.responseBodyBytes += count;
    this.#filter.stats.add(tcpStats.downstreamCxTxBytesTotal, count);
    if (this.#downstream.pendingWriteBytes === 0 || this.#isUpstreamPaused) return;
    this.#isUpstreamPaused = true;
    this.#upstream!.pauseReading();
  }

  onUpstreamDrained(): void {
    this.#touch();
    if (!this.#isDownstreamPaused) return;
    this.#isDownstreamPaused = false;
    this.#filter.stats.inc(tcpStats.downstreamFlowControlResumedReadingTotal);
    this.#downstream.resumeReading();
  }

  onDrained(): void {
    this.#touch();
    if (!this.#isUpstreamPaused) return;
    this.#isUpstreamPaused = false;
    this.#upstream?.resumeReading();
  }

  onEnd(): void {
    this.#downstreamEnded = true;
    if (this.#upstream?.isEstablished) this.#upstream.stream.endWriting();
  }

  onUpstreamEnd(): void {
    this.#downstream.endWriting();
  }

  onClosed(reason: CloseReason): void {
    const { stats, context } = this.#filter;
    const upstream = this.#upstream;
    this.#isDownstreamGone = true;
    if (reason.kind === 'error') this.#info.downstreamClose = 'RemoteReset';
    if (upstream === null) {
      this.#deadlines.cancel();
    } else if (reason.kind === 'remote') {
      // What the endpoint has not taken yet still goes to it. Nobody is waiting: only the idle timeout bounds it.
      this.#deadlines.clear(Deadline.maxDuration);
      this.#deadlines.clear(Deadline.logFlush);
      this.#deadlines.clear(Deadline.istioStats);
      this.#isFlushing = upstream.stream.pendingWriteBytes > 0;
      if (this.#isFlushing) {
        stats.inc(tcpStats.upstreamFlushTotal);
        stats.inc(tcpStats.upstreamFlushActive);
      }
    } else {
      this.#deadlines.cancel();
      // A cut stream must not look complete.
      if (isCut(reason)) upstream.stream.reset();
      else upstream.stream.close();
    }
    this.#info.endedAtMs = context.reactor.nowMs;
    this.#counter.onConnectionGone();
    this.#istio?.end(this.#info, this.#cluster);
    this.#log('TcpConnectionEnd');
  }

  /** `reason` is local when we closed it ourselves: whoever did so closes the downstream too. */
  onUpstreamClosed(reason: CloseReason): void {
    const upstream = this.#upstream!;
    this.#upstream = null;
    if (this.#isDownstreamGone) {
      this.#deadlines.cancel();
      if (this.#isFlushing) this.#filter.stats.dec(tcpStats.upstreamFlushActive);
    } else if (!upstream.isEstablished) {
      this.#onConnectFailed(upstream.cluster, reason);
    } else if (isCut(reason)) {
      this.#info.responseFlags |= ResponseFlag.upstreamRemoteReset;
      if (reason.kind === 'error') this.#info.upstreamClose = 'RemoteReset';
      this.#info.downstreamClose = 'LocalReset';
      this.#downstream.reset();
    }
  }

  #onConnectFailed(cluster: ClusterRuntime, reason: CloseReason): void {
    if (reason.kind === 'local') return;
    if (this.#info.attemptCount < this.#filter.config.maxConnectAttempts) {
      this.connect();
      return;
    }
    cluster.stats.inc(clusterStats.upstreamCxConnectAttemptsExceeded);
    const failure = connectFailure(reason);
    this.#info.upstreamTransportFailureReason = transportFailureReason(failure);
    this.#giveUp(
      ResponseFlag.upstreamConnectionFailure | ResponseFlag.upstreamRetryLimitExceeded,
      `${cluster.name} at ${this.#info.upstreamRemoteAddress}: ${failure.reason}`,
    );
  }

  #log(logType: LogType): void {
    const info = this.#info;
    info.upstreamBytesSent = info.requestBodyBytes;
    info.upstreamBytesReceived = info.responseBodyBytes;
    this.#filter.log(info, logType);
  }

  #beginReports(istio: IstioTcpConnection, peer: Workload | null | undefined): void {
    if (this.#isOutbound) {
      if (peer === undefined) istio.awaitPeer();
      else istio.onPeer(peer);
    }
    this.#reportOpen(istio);
  }

  #reportOpen(istio: IstioTcpConnection): void {
    istio.report(this.#info, this.#cluster);
    this.#deadlines.set(Deadline.istioStats, this.#filter.istioStats!.reportingIntervalMs);
  }

  #giveUp(flags: number, reason: string): void {
    this.#info.responseFlags |= flags;
    this.#info.failureReason = reason;
    this.#downstream.close();
  }

  /** A byte moved: the idle timeout counts from the last one in either direction, once there is an upstream. */
  #touch(): void {
    this.#deadlines.set(Deadline.idle, this.#filter.config.idleTimeoutMs);
  }

  onDeadline(slot: number): void {
    const { stats, config } = this.#filter;
    if (slot === Deadline.logFlush) {
      this.#log('TcpPeriodic');
      this.#deadlines.set(Deadline.logFlush, config.accessLogFlushIntervalMs);
      return;
    }
    if (slot === Deadline.istioStats) {
      this.#reportOpen(this.#istio!);
      return;
    }
    if (slot === Deadline.idle) {
      stats.inc(tcpStats.idleTimeout);
    } else {
      stats.inc(tcpStats.maxDownstreamConnectionDuration);
      this.#info.responseFlags |= ResponseFlag.durationTimeout;
    }
    this.#upstream?.stream.close();
    this.#downstream.close();
  }
}

/** The stream ended where its sender had not ended it. */
function isCut({ kind }: CloseReason): boolean {
  return kind === 'error' || kind === 'tls';
}
