// A gRPC server with one method that streams bytes both ways, for tests of what carries them.

import { type Metadata, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';

export const byteMethod = '/test.Bytes/Stream';

export interface ByteStream {
  readonly metadata: Metadata;
  /** `:authority` of the call. */
  readonly authority: string;
  send(message: Uint8Array): void;
  /** Ends the stream; a code other than 0 is an error. */
  end(code?: number, details?: string): void;
}

export interface ByteServerOptions {
  /** `127.0.0.1:0`, `unix:/path` … */
  readonly address?: string;
  readonly credentials?: ServerCredentials;
  readonly onStream?: (stream: ByteStream) => void;
  readonly onMessage: (stream: ByteStream, message: Uint8Array) => void;
}

export interface ByteServer {
  readonly port: number;
  /** Sends GOAWAY, lets streams end by themselves, and is done when they have. */
  drain(): Promise<void>;
  close(): void;
}

export async function startByteServer(options: ByteServerOptions): Promise<ByteServer> {
  const server = new Server({ 'grpc.max_send_message_length': -1 });
  const definition = {
    path: byteMethod,
    requestStream: true,
    responseStream: true,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  const stream = (call: ServerDuplexStream<Buffer, Buffer>) => serve(call, options);
  server.addService({ stream: definition }, { stream });
  const { address = '127.0.0.1:0', credentials = ServerCredentials.createInsecure() } = options;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.bindAsync(address, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
  return {
    port: await promise,
    drain: () => new Promise((done) => server.tryShutdown(() => done())),
    close: () => server.forceShutdown(),
  };
}

function serve(call: ServerDuplexStream<Buffer, Buffer>, { onStream, onMessage }: ByteServerOptions): void {
  const stream: ByteStream = {
    metadata: call.metadata,
    authority: call.getHost(),
    send: (message) => call.write(Buffer.from(message)),
    end: (code = 0, details = '') => {
      if (code === 0) call.end();
      else call.emit('error', { code, details });
    },
  };
  onStream?.(stream);
  call.on('data', (message: Buffer) => onMessage(stream, message));
  // A client that goes away is not this server's trouble.
  call.on('error', () => call.end());
  call.on('end', () => call.end());
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}
