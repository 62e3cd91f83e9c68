// tcp_proxy: bytes between a downstream connection and one endpoint, half closes included.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/listeners/network_filters/tcp_proxy_filter

import type { TcpProxy } from '../../config/listener.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import { connectFailure } from '../cluster/upstream-failure.ts';
import type { ConnectionCounter, ConnectionFacts, HttpContext } from '../http/connection-manager.ts';
import { ResponseFlag, StreamInfo } from '../http/stream-info.ts';
import type { ByteStream, ByteStreamHandler, CloseReason } from '../reactor/byte-stream.ts';
import { connectTo } from '../reactor/client-socket.ts';
import { Deadlines } from '../reactor/deadlines.ts';
import type { AccessLogger } from '../telemetry/access-log.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { tcpStats } from '../telemetry/tcp-stats.ts';

export interface TcpProxyOptions {
  readonly config: TcpProxy;
  readonly context: HttpContext;
  readonly stats: StatBlock;
  readonly accessLoggers: readonly AccessLogger[];
}

export class TcpProxyFilter {
  readonly config: TcpProxy;
  readonly context: HttpContext;
  readonly stats: StatBlock;
  readonly #accessLoggers: readonly AccessLogger[];

  constructor(options: TcpProxyOptions) {
    this.config = options.config;
    this.context = options.context;
    this.stats = options.stats;
    this.#accessLoggers = options.accessLoggers;
  }

  start(stream: ByteStream, facts: ConnectionFacts, counter: ConnectionCounter): void {
    new TcpSession(this, stream, facts, counter).connect();
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

  log(info: StreamInfo): void {
    for (const logger of this.#accessLoggers) {
      logger.log({ info, request: null, response: null, responseTrailers: null, localReplyBody: '' });
    }
  }
}

const SessionDeadline = { idle: 0, maxDuration: 1, count: 2 } as const;

class TcpSession {
  readonly info = new StreamInfo();
  readonly #filter: TcpProxyFilter;
  readonly #downstream: ByteStream;
  readonly #facts: ConnectionFacts;
  readonly #counter: ConnectionCounter;
  readonly #deadlines: Deadlines;
  #cluster: ClusterRuntime | null = null;
  #endpoint: EndpointRuntime | null = null;
  #upstream: ByteStream | null = null;
  #isEstablished = false;
  #downstreamEnded = false;
  #upstreamEnded = false;
  #isOver = false;

  constructor(filter: TcpProxyFilter, downstream: ByteStream, facts: ConnectionFacts, counter: ConnectionCounter) {
    this.#filter = filter;
    this.#downstream = downstream;
    this.#facts = facts;
    this.#counter = counter;
    const { context, config, stats } = filter;
    this.#deadlines = new Deadlines(context.reactor, this, SessionDeadline.count);
    this.#deadlines.set(SessionDeadline.maxDuration, config.maxDownstreamConnectionDurationMs);
    const { info } = this;
    info.startedAtMs = context.reactor.nowMs;
    info.startWallMs = context.wallOffsetMs + info.startedAtMs;
    info.connectionId = facts.connectionId;
    info.downstreamRemoteAddress = facts.remoteAddress;
    info.downstreamDirectRemoteAddress = facts.remoteAddress;
    info.downstreamLocalAddress = facts.localAddress;
    info.filterChainName = facts.filterChainName;
    info.listenerName = facts.listenerName;
    stats.inc(tcpStats.downstreamCxTotal);
    downstream.handler = new DownstreamSide(this);
  }

  connect(): void {
    const { context, stats } = this.#filter;
    const cluster = this.#filter.chooseCluster();
    this.#cluster = cluster;
    if (cluster === null) {
      stats.inc(tcpStats.downstreamCxNoRoute);
      this.#giveUp(ResponseFlag.noClusterFound, 'the cluster is not known');
      return;
    }
    const { chooseContext } = context;
    chooseContext.excluded = null;
    chooseContext.originalDestination = this.#facts.originalDestination ?? '';
    const endpoint = cluster.chooseEndpoint(chooseContext);
    if (endpoint === null) {
      cluster.stats.inc(clusterStats.upstreamCxNoneHealthy);
      this.#giveUp(ResponseFlag.noHealthyUpstream, `cluster ${cluster.name} has no healthy endpoint`);
      return;
    }
    if (!cluster.breakers.default.tryAcquireConnection()) {
      cluster.stats.inc(clusterStats.upstreamCxOverflow);
      this.#giveUp(
        ResponseFlag.upstreamOverflow,
        'the limit of connections to the cluster (max_connections) is reached',
      );
      return;
    }
    this.#open(cluster, endpoint);
  }

  #open(cluster: ClusterRuntime, endpoint: EndpointRuntime): void {
    this.#endpoint = endpoint;
    endpoint.activeConnections++;
    this.info.attemptCount++;
    this.info.upstreamCluster = cluster.name;
    this.info.upstreamRemoteAddress = endpoint.addressText;
    cluster.stats.inc(clusterStats.upstreamCxTotal);
    cluster.stats.inc(clusterStats.upstreamCxActive);
    endpoint.stats.inc(endpointStats.cxTotal);
    endpoint.stats.inc(endpointStats.cxActive);
    this.#upstream = connectTo(
      this.#filter.context.reactor,
      {
        address: endpoint.address,
        bindAddress: cluster.config.bindAddress?.kind === 'ip' ? cluster.config.bindAddress : undefined,
        connectTimeoutMs: cluster.config.connectTimeoutMs,
        keepAlive: cluster.config.keepAlive,
        noDelay: true,
      },
      new UpstreamSide(this),
    );
  }

  onUpstreamConnected(): void {
    this.#isEstablished = true;
    this.touch();
    this.#downstream.resumeReading();
    if (this.#downstreamEnded) this.#upstream!.endWriting();
  }

  onDownstreamData(buffer: NativeBuffer, start: number, end: number): number {
    if (!this.#isEstablished) {
      this.#downstream.pauseReading();
      return 0;
    }
    this.touch();
    this.#filter.stats.add(tcpStats.downstreamCxRxBytesTotal, end - start);
    this.info.requestBodyBytes += end - start;
    const upstream = this.#upstream!;
    upstream.write(buffer, start, end);
    if (upstream.pendingWriteBytes > 0) this.#downstream.pauseReading();
    return end - start;
  }

  onUpstreamData(buffer: NativeBuffer, start: number, end: number): number {
    this.touch();
    this.#filter.stats.add(tcpStats.downstreamCxTxBytesTotal, end - start);
    this.info.responseBodyBytes += end - start;
    this.#downstream.write(buffer, start, end);
    if (this.#downstream.pendingWriteBytes > 0) this.#upstream!.pauseReading();
    return end - start;
  }

  // A byte moved. `idle_timeout` counts from the last one in either direction.
  touch(): void {
    this.#deadlines.set(SessionDeadline.idle, this.#filter.config.idleTimeoutMs);
  }

  onDownstreamEnd(): void {
    this.#downstreamEnded = true;
    if (this.#isEstablished) this.#upstream!.endWriting();
    if (this.#upstreamEnded) this.#end();
  }

  onUpstreamEnd(): void {
    this.#upstreamEnded = true;
    this.#downstream.endWriting();
    if (this.#downstreamEnded) this.#end();
  }

  onDownstreamDrained(): void {
    if (this.#upstreamEnded && this.#downstreamEnded) this.#end();
    else this.#upstream?.resumeReading();
  }

  onUpstreamDrained(): void {
    if (this.#upstreamEnded && this.#downstreamEnded) this.#end();
    else this.#downstream.resumeReading();
  }

  onDownstreamClosed(reason: CloseReason): void {
    if (reason.kind === 'error') this.info.responseFlags |= ResponseFlag.downstreamConnectionTermination;
    // A reset of one side is a reset of the other: a cut stream must not look complete.
    if (reason.kind === 'error') this.#upstream?.reset();
    this.#over();
  }

  onUpstreamClosed(reason: CloseReason): void {
    const cluster = this.#cluster!;
    cluster.stats.dec(clusterStats.upstreamCxActive);
    cluster.stats.inc(clusterStats.upstreamCxDestroy);
    cluster.breakers.default.releaseConnection();
    this.#endpoint!.activeConnections--;
    this.#endpoint!.stats.dec(endpointStats.cxActive);
    this.#upstream = null;
    if (this.#isOver) return;
    if (!this.#isEstablished) {
      this.#connectFailed(cluster, reason);
      return;
    }
    if (reason.kind === 'error') this.#downstream.reset();
    else this.#downstream.closeGracefully(1000);
  }

  #connectFailed(cluster: ClusterRuntime, reason: CloseReason): void {
    cluster.stats.inc(
      reason.kind === 'connect-timeout' ? clusterStats.upstreamCxConnectTimeout : clusterStats.upstreamCxConnectFail,
    );
    this.#endpoint!.stats.inc(endpointStats.cxConnectFail);
    if (this.info.attemptCount < this.#filter.config.maxConnectAttempts) {
      this.connect();
      return;
    }
    cluster.stats.inc(clusterStats.upstreamCxConnectAttemptsExceeded);
    this.#giveUp(
      ResponseFlag.upstreamConnectionFailure,
      `${cluster.name} at ${this.#endpoint!.addressText}: ${connectFailure(reason).reason}`,
    );
  }

  #giveUp(flag: number, reason: string): void {
    this.info.responseFlags |= flag;
    this.info.failureReason = reason;
    this.#downstream.close();
  }

  // Both directions ended in order: what is pending is sent, then both sides close.
  #end(): void {
    if (this.#downstream.pendingWriteBytes > 0 || (this.#upstream?.pendingWriteBytes ?? 0) > 0) return;
    this.#upstream?.close();
    this.#downstream.close();
  }

  onDeadline(slot: number): void {
    const { stats } = this.#filter;
    if (slot === SessionDeadline.idle) {
      stats.inc(tcpStats.idleTimeout);
      this.info.responseFlags |= ResponseFlag.streamIdleTimeout;
    } else {
      stats.inc(tcpStats.maxDownstreamConnectionDuration);
      this.info.responseFlags |= ResponseFlag.durationTimeout;
    }
    this.#upstream?.close();
    this.#downstream.close();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#deadlines.cancel();
    this.#upstream?.close();
    this.info.endedAtMs = this.#filter.context.reactor.nowMs;
    this.#counter.onConnectionGone();
    this.#filter.log(this.info);
  }
}

class DownstreamSide implements ByteStreamHandler {
  readonly #session: TcpSession;
  constructor(session: TcpSession) {
    this.#session = session;
  }
  onConnected(): void {
    // Accepted: established from the start.
  }
  onData(buffer: NativeBuffer, start: number, end: number): number {
    return this.#session.onDownstreamData(buffer, start, end);
  }
  onEnd(): void {
    this.#session.onDownstreamEnd();
  }
  onDrained(): void {
    this.#session.onDownstreamDrained();
  }
  onClosed(reason: CloseReason): void {
    this.#session.onDownstreamClosed(reason);
  }
}

class UpstreamSide implements ByteStreamHandler {
  readonly #session: TcpSession;
  constructor(session: TcpSession) {
    this.#session = session;
  }
  onConnected(): void {
    this.#session.onUpstreamConnected();
  }
  onData(buffer: NativeBuffer, start: number, end: number): number {
    return this.#session.onUpstreamData(buffer, start, end);
  }
  onEnd(): void {
    this.#session.onUpstreamEnd();
  }
  onDrained(): void {
    this.#session.onUpstreamDrained();
  }
  onClosed(reason: CloseReason): void {
    this.#session.onUpstreamClosed(reason);
  }
}
