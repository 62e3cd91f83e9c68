// The gRPC server: the aggregated service, and one for each type, in both protocols.

import {
  logVerbosity,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { ClientStream } from './client-stream.ts';
import { DeltaSession } from './delta-session.ts';
import type { DiscoverySession, Refusal } from './discovery-session.ts';
import { servedTypes } from './served-type.ts';
import type { SnapshotCache } from './snapshot-cache.ts';
import { StateOfTheWorldSession } from './state-of-the-world-session.ts';

export interface DiscoveryServerOptions {
  readonly cache: SnapshotCache;
  /** Milliseconds since 1970, for what people read. */
  readonly clock: () => number;
  readonly onRefusal: (client: ClientStream, refusal: Refusal) => void;
  /** Half a minute, and 20 s, when left out. */
  readonly keepAlive?: KeepAlive;
}

/** When clients are pinged, and how long they may take to answer. */
export interface KeepAlive {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** PEM. With `clientAuthority` only clients with a certificate of that authority are served. */
export interface ServerTls {
  readonly certificateChain: Buffer;
  readonly privateKey: Buffer;
  readonly clientAuthority?: Buffer;
}

const aggregated = '/envoy.service.discovery.v3.AggregatedDiscoveryService';

/** A request of a client that has 100,000 resources is 10 MB; grpc-js takes 4 MiB unless told. */
const maxRequestBytes = 64 * 1024 * 1024;

/** A client that vanished without a word is let go of after a minute at most. */
const usualKeepAlive: KeepAlive = { intervalMs: 30_000, timeoutMs: 20_000 };

/** Clients that do not read are not waited for. */
const farewellMs = 500;

export class DiscoveryServer {
  readonly clients = new Set<ClientStream>();
  readonly #options: DiscoveryServerOptions;
  readonly #server: Server;

  constructor(options: DiscoveryServerOptions) {
    this.#options = options;
    this.#server = new Server(channelOptions(options.keepAlive ?? usualKeepAlive));
    const methods: Method[] = [
      { path: `${aggregated}/DeltaAggregatedResources`, isDelta: true, typeUrl: undefined },
      { path: `${aggregated}/StreamAggregatedResources`, isDelta: false, typeUrl: undefined },
    ];
    for (const { deltaMethod, stateOfTheWorldMethod, typeUrl } of servedTypes) {
      methods.push({ path: deltaMethod, isDelta: true, typeUrl });
      if (stateOfTheWorldMethod !== undefined) methods.push({ path: stateOfTheWorldMethod, isDelta: false, typeUrl });
    }
    const handlers = methods.map((method) => [method.path, (call: Call) => this.#serve(call, method)] as const);
    const definitions = methods.map(({ path }) => [path, definition(path)] as const);
    this.#server.addService(Object.fromEntries(definitions), Object.fromEntries(handlers));
  }

  /** Resolves with the port when clients can connect. Rejects with a sentence when the address cannot be bound. */
  listen(address: string, tls?: ServerTls): Promise<number> {
    // The library says on standard error what it returns as well.
    setLogVerbosity(logVerbosity.NONE);
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address, credentialsOf(tls), (error, port) => {
        if (error === null) resolve(port);
        else reject(new Error(`--listen ${address}: cannot listen: ${causeOf(error)}`));
      });
    });
  }

  /** Ends every stream with a word to its client, and resolves when nothing is left. */
  close(): Promise<void> {
    for (const client of [...this.clients]) client.end();
    return new Promise((resolve) => {
      const overdue = setTimeout(() => {
        this.#server.forceShutdown();
        // The library never calls back when it was just letting go of a client that answers no pings.
        resolve();
      }, farewellMs);
      this.#server.tryShutdown(() => {
        clearTimeout(overdue);
        resolve();
      });
    });
  }

  #serve(call: Call, { isDelta, typeUrl }: Method): void {
    const { cache, clock, onRefusal } = this.#options;
    const session: DiscoverySession = isDelta
      ? new DeltaSession({ typeUrl, clock })
      : new StateOfTheWorldSession({ typeUrl, clock });
    const onEnd = (ended: ClientStream) => this.clients.delete(ended);
    this.clients.add(new ClientStream({ call, session, cache, onRefusal, onEnd }));
  }
}

function channelOptions({ intervalMs, timeoutMs }: KeepAlive): ServerOptions {
  return {
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_send_message_length': -1,
    'grpc.keepalive_time_ms': intervalMs,
    'grpc.keepalive_timeout_ms': timeoutMs,
  };
}

/** Without what the library says around it. */
function causeOf({ message }: Error): string {
  return /\berrors: \[(?:listen )?(.*)\]$/.exec(message)?.[1] ?? message;
}

type Call = ServerDuplexStream<Buffer, Buffer>;

interface Method {
  readonly path: string;
  readonly isDelta: boolean;
  readonly typeUrl: string | undefined;
}

/** Messages stay bytes: sessions read and write them. */
function definition(path: string): MethodDefinition<Buffer, Buffer> {
  const asItIs = (bytes: Buffer) => bytes;
  return {
    path,
    requestStream: true,
    responseStream: true,
    requestSerialize: asItIs,
    requestDeserialize: asItIs,
    responseSerialize: asItIs,
    responseDeserialize: asItIs,
  };
}

function credentialsOf(tls: ServerTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const { certificateChain, privateKey, clientAuthority } = tls;
  const pair = { cert_chain: certificateChain, private_key: privateKey };
  return ServerCredentials.createSsl(clientAuthority ?? null, [pair], clientAuthority !== undefined);
}
