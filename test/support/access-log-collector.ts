// An access log service (envoy/service/accesslog/v3/als.proto) that reads what it gets by Envoy's own proto files.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerReadableStream, type sendUnaryData } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { strictReader } from './strict-reader.ts';

/** A message as the proto files name its fields; what is not on the wire is not there. */
export interface Entry {
  readonly [field: string]: unknown;
}

export interface AccessLogCollector {
  readonly port: number;
  /** Each message as it came, by stream. */
  readonly messages: readonly { readonly stream: number; readonly message: Entry }[];
  readonly httpEntries: readonly Entry[];
  readonly tcpEntries: readonly Entry[];
  /** `initial_metadata` of each stream. */
  readonly metadata: readonly { readonly [name: string]: unknown }[];
  /** Resolves when there are so many entries of either kind. */
  entries(count: number): Promise<void>;
  /** Resolves when the condition holds, now or after some message. */
  until(isMet: () => boolean): Promise<void>;
  /** Resolves when so many streams were opened. */
  streams(count: number): Promise<void>;
  /** Ends all streams that are open: with OK, or an error of this code. */
  endStreams(code?: number): void;
  stop(): Promise<void>;
}

export interface AccessLogCollectorOptions {
  /** Streams are opened and nothing is read from them. */
  readonly isStandingStill?: boolean;
  readonly port?: number;
}

export async function startAccessLogCollector(options: AccessLogCollectorOptions = {}): Promise<AccessLogCollector> {
  const messages: { stream: number; message: Entry }[] = [];
  const metadata: { [name: string]: unknown }[] = [];
  const open = new Map<ServerReadableStream<Entry, object>, sendUnaryData<object>>();
  const waiting = new Set<() => void>();
  const told = (): void => {
    for (const check of waiting) check();
  };
  const entriesOf = (kind: string): Entry[] =>
    messages.flatMap(({ message }) => (message[kind] as { log_entry: Entry[] } | undefined)?.log_entry ?? []);
  const until = (isDone: () => boolean): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const check = (): void => {
      if (!isDone()) return;
      waiting.delete(check);
      resolve();
    };
    waiting.add(check);
    check();
    return promise;
  };

  const server = new Server();
  const take = (call: ServerReadableStream<Entry, object>, answer: sendUnaryData<object>): void => {
    const stream = metadata.push(call.metadata.getMap()) - 1;
    open.set(call, answer);
    call.on('close', () => open.delete(call));
    call.on('error', () => open.delete(call));
    if (options.isStandingStill !== true) {
      call.on('data', (message: Entry) => {
        messages.push({ stream, message });
        told();
      });
      call.on('end', () => answer(null, {}));
    }
    told();
  };
  server.addService(
    {
      streamAccessLogs: {
        path: '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs',
        requestStream: true,
        responseStream: false,
        requestDeserialize: decodeAccessLogMessage,
        requestSerialize: unused,
        responseSerialize: () => Buffer.alloc(0),
        responseDeserialize: () => ({}),
      },
    },
    { streamAccessLogs: take },
  );
  const port = await bind(server, options.port ?? 0);
  return {
    port,
    messages,
    get httpEntries() {
      return entriesOf('http_logs');
    },
    get tcpEntries() {
      return entriesOf('tcp_logs');
    },
    metadata,
    entries: (count) => until(() => entriesOf('http_logs').length + entriesOf('tcp_logs').length >= count),
    until,
    streams: (count) => until(() => metadata.length >= count),
    endStreams: (code = 0) => {
      for (const answer of open.values()) {
        if (code === 0) answer(null, {});
        else answer({ code, details: 'ended by the test' });
      }
      open.clear();
    },
    stop: async () => server.forceShutdown(),
  };
}

function bind(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
}

const messageType = 'envoy.service.accesslog.v3.StreamAccessLogsMessage';

/** Reads the bytes of a message by the proto files. Throws. */
export function decodeAccessLogMessage(bytes: Uint8Array): Entry {
  const type = root().lookupType(messageType);
  return type.toObject(type.decode(strictReader(bytes)), { longs: Number, enums: String });
}

function unused(): Buffer {
  throw new Error('a collector only reads');
}

let loaded: protobuf.Root | undefined;

function root(): protobuf.Root {
  if (loaded !== undefined) return loaded;
  const dependencies = join(import.meta.dirname, '../../node_modules/@grpc/grpc-js-xds/deps');
  const folders = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(dependencies, name));
  loaded = new protobuf.Root();
  loaded.resolvePath = (_origin, path) => {
    const candidates = [...folders, join(import.meta.dirname, '../../node_modules/protobufjs')].map((folder) =>
      join(folder, path),
    );
    return candidates.find((candidate) => existsSync(candidate)) ?? path;
  };
  loaded.loadSync('envoy/service/accesslog/v3/als.proto', { keepCase: true });
  loaded.lookupEnum('envoy.data.accesslog.v3.AccessLogType').add('TcpConnectionStart', 14);
  return loaded;
}
