// One attempt of tcp_proxy at an endpoint: the connection, and what the cluster and the endpoint count of it. It is
// registered when it begins and signed off in `onClosed`, which comes exactly once.
//
// It may begin before there is a session: until it is attached to one, what the endpoint says waits.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import { nextConnectionNumber } from '../cluster/connection-number.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import { sourceAddressFor } from '../cluster/source-address.ts';
import type { ExchangingHandler, TcpExchange } from '../istio/tcp-exchange.ts';
import type { Workload } from '../istio/workload.ts';
import type { ByteStream, CloseReason, Relay } from '../reactor/byte-stream.ts';
import { connectTo } from '../reactor/client-socket.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { tlsFactsOf } from '../tls/facts.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';

export interface TcpUpstreamOptions {
  readonly reactor: Reactor;
  readonly cluster: ClusterRuntime;
  readonly endpoint: EndpointRuntime;
  /** Of one relayed piece. */
  readonly limitBytes: number;
  /** With the endpoint; null, or absent, without. */
  readonly exchange?: TcpExchange | null;
}

/** Who opened an attempt that no session has yet. */
export interface TcpUpstreamWatcher {
  /** The endpoint has sent bytes, which wait. The stream is in the middle of handing them on. */
  onUpstreamSpoke(): void;
  /** It could not be opened, or has ended, or was closed. */
  onUpstreamGone(): void;
}

/** The downstream's side of an attempt. */
export interface TcpUpstreamHandler {
  onUpstreamConnected(): void;
  /** Told by the endpoint, by Istio's metadata exchange; null when it tells nothing. */
  onUpstreamPeer(peer: Workload | null): void;
  /** What it told cannot be read: the upstream closes. */
  onUpstreamExchangeFailed(reason: string): void;
  /** So many were relayed to the sink. */
  onUpstreamBytes(count: number): void;
  onUpstreamDrained(): void;
  onUpstreamEnd(): void;
  /** Comes once. `reason` is local when we closed it ourselves. */
  onUpstreamClosed(reason: CloseReason): void;
}

export class TcpUpstream implements ExchangingHandler, Relay {
  readonly stream: ByteStream;
  readonly cluster: ClusterRuntime;
  readonly endpoint: EndpointRuntime;
  readonly limitBytes: number;
  /** Told until there is a session. */
  watcher: TcpUpstreamWatcher | null = null;
  isEstablished = false;
  /** What the handshake showed; null before its end and on a plain connection. */
  tls: TlsFacts | null = null;
  #transport: TlsTransport | null = null;
  readonly #exchange: TcpExchange | null;
  /** Who the endpoint is; undefined when it is about to tell. */
  peer: Workload | null | undefined = null;
  #session: TcpUpstreamHandler | null = null;
  #sink: ByteStream | null = null;
  readonly #reactor: Reactor;
  readonly #startedAtMs: number;
  readonly connectionNumber = nextConnectionNumber();
  /** How long connecting took, -1 before it is done. */
  connectMs = -1;

  /** The caller holds a connection of the cluster's circuit breaker, which is given back in `onClosed`. */
  constructor(options: TcpUpstreamOptions) {
    const { reactor, cluster, endpoint } = options;
    this.#reactor = reactor;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.#startedAtMs = reactor.nowMs;
    this.limitBytes = options.limitBytes;
    this.#exchange = options.exchange ?? null;
    endpoint.activeConnections++;
    endpoint.stats.inc(endpointStats.cxTotal);
    endpoint.stats.inc(endpointStats.cxActive);
    cluster.stats.inc(clusterStats.upstreamCxTotal);
    cluster.stats.inc(clusterStats.upstreamCxActive);
    const { bindAddress, connectTimeoutMs, keepAlive } = cluster.config;
    const { transport, hostname } = endpoint;
    this.stream = connectTo(
      reactor,
      {
        address: endpoint.address,
        bindAddress: sourceAddressFor(bindAddress, endpoint.address),
        connectTimeoutMs,
        tls: transport === null ? undefined : (fd) => this.#secureBy(transport.begin(fd, hostname, transport.forBytes)),
        keepAlive,
        noDelay: true,
      },
      this,
    );
  }

  /**
   * From now on it is that session's, and its bytes go to `sink`. To Envoy a TCP connection is a request that waits until
   * it stands, and then lasts as long as the connection.
   */
  attach(session: TcpUpstreamHandler, sink: ByteStream): void {
    const { stats } = this.cluster;
    this.watcher = null;
    this.#session = session;
    this.#sink = sink;
    if (this.isEstablished) {
      this.#beginUse(session);
      this.stream.resumeReading();
      return;
    }
    stats.inc(clusterStats.upstreamRqPendingTotal);
    stats.inc(clusterStats.upstreamRqPendingActive);
    this.endpoint.stats.inc(endpointStats.rqPendingActive);
  }

  /** The downstream connection. */
  get sink(): ByteStream {
    return this.#sink!;
  }

  #secureBy(transport: TlsTransport | string): TlsTransport | string {
    if (typeof transport !== 'string') this.#transport = transport;
    return transport;
  }

  onConnected(): void {
    this.isEstablished = true;
    if (this.#transport !== null) this.tls = tlsFactsOf(this.#transport);
    if (this.#exchange?.begin(this.stream, this, this.tls?.alpn ?? '')) this.peer = undefined;
    const { stats } = this.cluster;
    this.connectMs = this.#reactor.nowMs - this.#startedAtMs;
    stats.record(clusterStats.upstreamCxConnectMs, this.connectMs);
    if (this.#session === null) return;
    stats.dec(clusterStats.upstreamRqPendingActive);
    this.endpoint.stats.dec(endpointStats.rqPendingActive);
    this.#beginUse(this.#session);
  }

  #beginUse(session: TcpUpstreamHandler): void {
    const { stats } = this.cluster;
    stats.inc(clusterStats.upstreamRqTotal);
    stats.inc(clusterStats.upstreamRqActive);
    this.endpoint.stats.inc(endpointStats.rqTotal);
    this.endpoint.stats.inc(endpointStats.rqActive);
    session.onUpstreamConnected();
  }

  onPeer(peer: Workload | null): void {
    this.peer = peer;
    this.#session?.onUpstreamPeer(peer);
  }

  onExchangeFailed(reason: string): void {
    this.#session?.onUpstreamExchangeFailed(reason);
    this.stream.close();
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    if (this.#sink === null) {
      this.stream.pauseReading();
      this.watcher?.onUpstreamSpoke();
      return 0;
    }
    this.#sink.write(buffer, start, end);
    this.onRelayed(end - start);
    return end - start;
  }

  onRelayed(count: number): void {
    this.cluster.stats.add(clusterStats.upstreamCxRxBytesTotal, count);
    this.#session!.onUpstreamBytes(count);
  }

  /** The session has sent `count` bytes to this endpoint. */
  countSent(count: number): void {
    this.cluster.stats.add(clusterStats.upstreamCxTxBytesTotal, count);
  }

  pauseReading(): void {
    this.cluster.stats.inc(clusterStats.upstreamFlowControlPausedReadingTotal);
    this.stream.pauseReading();
  }

  resumeReading(): void {
    this.cluster.stats.inc(clusterStats.upstreamFlowControlResumedReadingTotal);
    this.stream.resumeReading();
  }

  onEnd(): void {
    // Without a word, to nobody: it is of no use to a session.
    if (this.#session === null) this.stream.close();
    else this.#session.onUpstreamEnd();
  }

  onDrained(): void {
    this.#session?.onUpstreamDrained();
  }

  onClosed(reason: CloseReason): void {
    const { stats } = this.cluster;
    this.cluster.breakers.default.releaseConnection();
    this.endpoint.activeConnections--;
    this.endpoint.stats.dec(endpointStats.cxActive);
    stats.dec(clusterStats.upstreamCxActive);
    stats.inc(clusterStats.upstreamCxDestroy);
    const isRemote = reason.kind === 'remote' || reason.kind === 'error';
    stats.inc(isRemote ? clusterStats.upstreamCxDestroyRemote : clusterStats.upstreamCxDestroyLocal);
    if (this.isEstablished) stats.record(clusterStats.upstreamCxLengthMs, this.#reactor.nowMs - this.#startedAtMs);
    else if (reason.kind !== 'local') this.#countConnectFailure(reason);
    if (this.#session === null) {
      this.watcher?.onUpstreamGone();
      return;
    }
    if (this.isEstablished) this.#countUse(isRemote);
    else this.#countUnused(reason);
    this.#session.onUpstreamClosed(reason);
  }

  #countConnectFailure({ kind }: CloseReason): void {
    const { stats } = this.cluster;
    stats.inc(clusterStats.upstreamCxConnectFail);
    if (kind === 'connect-timeout') stats.inc(clusterStats.upstreamCxConnectTimeout);
    this.endpoint.stats.inc(endpointStats.cxConnectFail);
  }

  #countUse(isRemote: boolean): void {
    const { stats } = this.cluster;
    stats.dec(clusterStats.upstreamRqActive);
    this.endpoint.stats.dec(endpointStats.rqActive);
    stats.inc(clusterStats.upstreamCxDestroyWithActiveRq);
    stats.inc(
      isRemote ? clusterStats.upstreamCxDestroyRemoteWithActiveRq : clusterStats.upstreamCxDestroyLocalWithActiveRq,
    );
  }

  #countUnused({ kind }: CloseReason): void {
    const { stats } = this.cluster;
    stats.dec(clusterStats.upstreamRqPendingActive);
    this.endpoint.stats.dec(endpointStats.rqPendingActive);
    stats.inc(kind === 'local' ? clusterStats.upstreamRqCancelled : clusterStats.upstreamRqPendingFailureEject);
  }
}
