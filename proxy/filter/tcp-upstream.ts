// One attempt of tcp_proxy at an endpoint: the connection, and what the cluster and the endpoint count of it. It is
// registered when it begins and signed off in `onClosed`, which comes exactly once.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { ByteStream, ByteStreamHandler, CloseReason, Relay } from '../reactor/byte-stream.ts';
import { connectTo } from '../reactor/client-socket.ts';
import type { Reactor } from '../reactor/reactor.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { tlsFactsOf } from '../tls/facts.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import type { TlsTransport } from '../transport/tls-transport.ts';
import type { TcpSession } from './tcp-session.ts';

export interface TcpUpstreamOptions {
  readonly reactor: Reactor;
  readonly cluster: ClusterRuntime;
  readonly endpoint: EndpointRuntime;
  /** The downstream connection. */
  readonly sink: ByteStream;
  /** Of one relayed piece. */
  readonly limitBytes: number;
}

export class TcpUpstream implements ByteStreamHandler, Relay {
  readonly stream: ByteStream;
  readonly cluster: ClusterRuntime;
  readonly sink: ByteStream;
  readonly limitBytes: number;
  isEstablished = false;
  /** What the handshake showed; null before its end and on a plain connection. */
  tls: TlsFacts | null = null;
  #transport: TlsTransport | null = null;
  readonly #session: TcpSession;
  readonly #reactor: Reactor;
  readonly #endpoint: EndpointRuntime;
  readonly #startedAtMs: number;

  /** The caller holds a connection of the cluster's circuit breaker, which is given back in `onClosed`. */
  constructor(session: TcpSession, options: TcpUpstreamOptions) {
    const { reactor, cluster, endpoint } = options;
    this.#session = session;
    this.#reactor = reactor;
    this.cluster = cluster;
    this.#endpoint = endpoint;
    this.#startedAtMs = reactor.nowMs;
    this.sink = options.sink;
    this.limitBytes = options.limitBytes;
    endpoint.activeConnections++;
    endpoint.stats.inc(endpointStats.cxTotal);
    endpoint.stats.inc(endpointStats.cxActive);
    cluster.stats.inc(clusterStats.upstreamCxTotal);
    cluster.stats.inc(clusterStats.upstreamCxActive);
    // To Envoy a TCP connection is a request that waits until it stands, and then lasts as long as the connection.
    cluster.stats.inc(clusterStats.upstreamRqPendingTotal);
    cluster.stats.inc(clusterStats.upstreamRqPendingActive);
    const { bindAddress, connectTimeoutMs, keepAlive } = cluster.config;
    const { transport, hostname } = endpoint;
    this.stream = connectTo(
      reactor,
      {
        address: endpoint.address,
        bindAddress: bindAddress?.kind === 'ip' ? bindAddress : undefined,
        connectTimeoutMs,
        tls: transport === null ? undefined : (fd) => this.#secureBy(transport.begin(fd, hostname, null)),
        keepAlive,
        noDelay: true,
      },
      this,
    );
  }

  #secureBy(transport: TlsTransport | string): TlsTransport | string {
    if (typeof transport !== 'string') this.#transport = transport;
    return transport;
  }

  onConnected(): void {
    this.isEstablished = true;
    if (this.#transport !== null) this.tls = tlsFactsOf(this.#transport);
    const { stats } = this.cluster;
    stats.record(clusterStats.upstreamCxConnectMs, this.#reactor.nowMs - this.#startedAtMs);
    stats.dec(clusterStats.upstreamRqPendingActive);
    stats.inc(clusterStats.upstreamRqTotal);
    stats.inc(clusterStats.upstreamRqActive);
    this.#endpoint.stats.inc(endpointStats.rqTotal);
    this.#endpoint.stats.inc(endpointStats.rqActive);
    this.#session.onUpstreamConnected();
  }

  onData(buffer: NativeBuffer, start: number, end: number): number {
    this.sink.write(buffer, start, end);
    this.onRelayed(end - start);
    return end - start;
  }

  onRelayed(count: number): void {
    this.cluster.stats.add(clusterStats.upstreamCxRxBytesTotal, count);
    this.#session.onUpstreamBytes(count);
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
    this.#session.onUpstreamEnd();
  }

  onDrained(): void {
    this.#session.onUpstreamDrained();
  }

  onClosed(reason: CloseReason): void {
    const { stats } = this.cluster;
    this.cluster.breakers.default.releaseConnection();
    this.#endpoint.activeConnections--;
    this.#endpoint.stats.dec(endpointStats.cxActive);
    stats.dec(clusterStats.upstreamCxActive);
    stats.inc(clusterStats.upstreamCxDestroy);
    const isRemote = reason.kind === 'remote' || reason.kind === 'error';
    stats.inc(isRemote ? clusterStats.upstreamCxDestroyRemote : clusterStats.upstreamCxDestroyLocal);
    if (this.isEstablished) this.#countUse(isRemote);
    else this.#countUnused(reason);
    this.#session.onUpstreamClosed(reason);
  }

  #countUse(isRemote: boolean): void {
    const { stats } = this.cluster;
    stats.dec(clusterStats.upstreamRqActive);
    this.#endpoint.stats.dec(endpointStats.rqActive);
    stats.record(clusterStats.upstreamCxLengthMs, this.#reactor.nowMs - this.#startedAtMs);
    stats.inc(clusterStats.upstreamCxDestroyWithActiveRq);
    stats.inc(
      isRemote ? clusterStats.upstreamCxDestroyRemoteWithActiveRq : clusterStats.upstreamCxDestroyLocalWithActiveRq,
    );
  }

  #countUnused(reason: CloseReason): void {
    const { stats } = this.cluster;
    stats.dec(clusterStats.upstreamRqPendingActive);
    if (reason.kind === 'local') {
      stats.inc(clusterStats.upstreamRqCancelled);
      return;
    }
    stats.inc(clusterStats.upstreamRqPendingFailureEject);
    stats.inc(clusterStats.upstreamCxConnectFail);
    if (reason.kind === 'connect-timeout') stats.inc(clusterStats.upstreamCxConnectTimeout);
    this.#endpoint.stats.inc(endpointStats.cxConnectFail);
  }
}
