// Discovery streams over gRPC. Messages are bytes here: what is in them is known to who speaks the protocol.
//
// Every stream has a connection of its own, made for it. A control plane has one stream per source, for hours, so that
// nothing is gained by keeping a connection; and so names are resolved again, certificates and tokens are read again,
// and the waiting between attempts is that of the client, which is told why each of them failed.

import type { Socket } from 'node:net';
import { Client, type ClientDuplexStream, connectivityState, type StatusObject, status } from '@grpc/grpc-js';
import type { GrpcCluster, GrpcService } from '../../config/config-source.ts';
import { asBuffer, asBytes } from '../../config/grpc-client.ts';
import { callMetadata, clientOptionsFor } from './grpc-call.ts';
import { channelCredentials } from './grpc-credentials.ts';
import { describeFailure } from './grpc-failure.ts';
import { type GrpcPeer, peersOf } from './grpc-peer.ts';
import type { DiscoveryStreamEvents, DiscoveryStreamHandle, DiscoveryTransport } from './transport.ts';

export interface GrpcTransportOptions {
  readonly service: GrpcService;
  /** The static clusters that `service` may name: `Bootstrap.grpcClusters`. */
  readonly clusters: ReadonlyMap<string, GrpcCluster>;
  /** Such as `/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources`. */
  readonly method: string;
}

/** Throws when the service's cluster is not there, which `configSourceProblem` tells before. */
export function makeGrpcTransport({ service, clusters, method }: GrpcTransportOptions): DiscoveryTransport {
  const peers = peersOf(service, clusters);
  const streams = new Set<GrpcStream>();
  const pace: PingPace = { factor: 1 };
  return {
    target: peers.map(({ name }) => name).join(', '),
    open: (events) => {
      const stream = new GrpcStream({ peers, method, service, events, pace, onClosed: () => streams.delete(stream) });
      streams.add(stream);
      stream.connect(0);
      return stream;
    },
    close: () => {
      for (const stream of streams) stream.cancel();
    },
  };
}

/**
 * Istio takes any size and its first push of a large mesh has tens of megabytes, ztunnel takes 200 MiB. More than this
 * is a control plane gone wrong, which must not take the memory of the workload that we are the sidecar of.
 */
const maxMessageBytes = 256 * 1024 * 1024;
/** A large push is not held up by a round trip for every 64 KiB. */
const windowBytes = 1024 * 1024;
/**
 * A server of Go that was told nothing of pings allows one in five minutes, and ends the connection of who sends more. The
 * interval is doubled each time, as gRPC's proposal A8 says: the library does so for the connection that has ended alone.
 */
const mostPingPace = 64;
/** Timers take no more. */
const longestTimerMs = 0x7fff_ffff;
/** What the library makes of the error code ENHANCE_YOUR_CALM. */
const isTooManyPings = /^Bandwidth exhausted/;

/** Of all connections that are made from now on. */
interface PingPace {
  factor: number;
}

interface GrpcStreamOptions {
  readonly peers: readonly GrpcPeer[];
  readonly method: string;
  readonly service: GrpcService;
  readonly events: DiscoveryStreamEvents;
  readonly pace: PingPace;
  readonly onClosed: () => void;
}

interface Attempt {
  readonly index: number;
  readonly peer: GrpcPeer;
  readonly client: Client;
  readonly sockets: AttemptSockets;
  readonly call: ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly connectTimer: NodeJS.Timeout;
}

class GrpcStream implements DiscoveryStreamHandle {
  readonly #options: GrpcStreamOptions;
  #attempt: Attempt | undefined;
  #isConnected = false;
  #isClosed = false;
  /** What is to be sent at the end of this turn, or once there is a connection. */
  #unsent: (() => Uint8Array)[] = [];
  #isWriteDue = false;
  #writing = 0;
  /** Of the peers that could not be reached. */
  readonly #reasons: string[] = [];

  constructor(options: GrpcStreamOptions) {
    this.#options = options;
  }

  connect(index: number): void {
    const peer = this.#options.peers[index]!;
    let attempt: Attempt;
    try {
      attempt = { index, peer, ...this.#call(peer), connectTimer: this.#startConnectTimer(index, peer) };
    } catch (error) {
      // A secret that cannot be read. The caller is not to hear of it before it has the stream in its hands.
      setImmediate(() => this.#onUnreachable(index, { code: status.UNAVAILABLE, details: (error as Error).message }));
      return;
    }
    const { client, call } = attempt;
    this.#attempt = attempt;
    call.on('data', (message: Uint8Array) => this.#onMessage(attempt, message));
    call.on('status', (end: StatusObject) => this.#onStatus(attempt, end));
    // An error is a status too, which comes with it.
    call.on('error', ignore);
    client.waitForReady(Number.POSITIVE_INFINITY, (error) => {
      if (error === undefined) this.#onReady(attempt);
    });
  }

  /** An answer leaves behind what its response changed: a change of one endpoint waited 0.25 ms for it. */
  send(encode: () => Uint8Array): void {
    if (this.#isClosed) return;
    this.#unsent.push(encode);
    if (!this.#isConnected || this.#isWriteDue) return;
    this.#isWriteDue = true;
    setImmediate(() => {
      this.#isWriteDue = false;
      this.#writeUnsent();
    });
  }

  pendingMessages(): number {
    return this.#unsent.length + this.#writing;
  }

  cancel(): void {
    this.#close();
  }

  #call(peer: GrpcPeer): Pick<Attempt, 'client' | 'call' | 'sockets'> {
    const { method, service, pace } = this.#options;
    const { uri, keepAlive } = peer;
    const metadata = callMetadata(service, peer);
    const sockets = new AttemptSockets();
    const credentials = channelCredentials(peer, (socket) => sockets.add(socket));
    const client = new Client(uri, credentials, {
      ...clientOptionsFor(peer),
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.keepalive_time_ms': Math.min(keepAlive.intervalMs * pace.factor, longestTimerMs),
      'grpc.keepalive_timeout_ms': keepAlive.timeoutMs,
      'grpc-node.flow_control_window': windowBytes,
      // Without copies of what was sent for a second attempt, which a stream cannot have.
      'grpc.enable_retries': 0,
    });
    return { client, sockets, call: client.makeBidiStreamRequest(method, asBuffer, asBytes, metadata, {}) };
  }

  #onReady(attempt: Attempt): void {
    if (this.#attempt !== attempt) return;
    clearTimeout(attempt.connectTimer);
    this.#isConnected = true;
    this.#writeUnsent();
  }

  #writeUnsent(): void {
    const unsent = this.#unsent;
    this.#unsent = [];
    for (const encode of unsent) this.#write(encode());
  }

  /** The library has no time limit of its own for a peer that accepts a connection and says nothing. */
  #startConnectTimer(index: number, { connectTimeoutMs }: GrpcPeer): NodeJS.Timeout {
    const details = `no answer within ${connectTimeoutMs} ms`;
    return setTimeout(() => this.#onUnreachable(index, { code: status.UNAVAILABLE, details }), connectTimeoutMs);
  }

  #write(message: Uint8Array): void {
    this.#writing++;
    this.#attempt?.call.write(message, () => this.#writing--);
  }

  #onMessage(attempt: Attempt, message: Uint8Array): void {
    if (this.#attempt === attempt) this.#options.events.onMessage(message);
  }

  #onStatus(attempt: Attempt, { code, details }: StatusObject): void {
    if (this.#attempt !== attempt) return;
    const { pace } = this.#options;
    if (isTooManyPings.test(details)) pace.factor = Math.min(pace.factor * 2, mostPingPace);
    const state = attempt.client.getChannel().getConnectivityState(false);
    if (this.#isConnected || state === connectivityState.READY) this.#end({ code, details }, attempt.peer);
    else this.#onUnreachable(attempt.index, { code, details });
  }

  #onUnreachable(index: number, { code, details }: { readonly code: number; readonly details: string }): void {
    if (this.#isClosed) return;
    this.#dropAttempt();
    const { peers, events } = this.#options;
    const { name: peer, tls } = peers[index]!;
    const isSecured = tls !== undefined;
    this.#reasons.push(describeFailure({ code, details, peer, isConnected: false, isSecured }).reason);
    if (index + 1 < peers.length) {
      this.connect(index + 1);
      return;
    }
    this.#close();
    events.onEnd({ code, reason: this.#reasons.join('; ') });
  }

  #end({ code, details }: { readonly code: number; readonly details: string }, peer: GrpcPeer): void {
    this.#close();
    this.#options.events.onEnd(describeFailure({ code, details, peer: peer.name, isConnected: true }));
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsent = [];
    this.#dropAttempt();
    this.#options.onClosed();
  }

  #dropAttempt(): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (attempt === undefined) return;
    clearTimeout(attempt.connectTimer);
    attempt.call.cancel();
    attempt.client.close();
    if (!this.#isConnected) attempt.sockets.destroy();
  }
}

/** The library would wait for ever for the first frame of a peer that says nothing, also after it was closed. */
class AttemptSockets {
  readonly #sockets: Socket[] = [];
  #isGivenUp = false;

  add(socket: Socket): void {
    if (this.#isGivenUp) socket.destroy();
    else this.#sockets.push(socket);
  }

  destroy(): void {
    this.#isGivenUp = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

function ignore(): void {}
