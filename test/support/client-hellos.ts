// ClientHellos: those of a real client, and those that no real client would send.

import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';

/** What Node's client writes before it has read anything. */
export async function realClientHello(options: ConnectionOptions): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const written: Buffer[] = [];
  const wire = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      // A message in several records is written in one turn.
      if (written.length === 1) setImmediate(() => resolve(Buffer.concat(written)));
      done();
    },
  });
  const client = connect({ ...options, socket: wire });
  client.on('error', () => undefined);
  const hello = await promise;
  client.destroy();
  return hello;
}

export interface HelloParts {
  readonly sessionId?: number;
  readonly ciphers?: number;
  readonly compressions?: number;
  readonly extensions?: 'none';
  readonly serverName?: string;
  readonly protocols?: readonly string[];
  /** Content of an extension, right or not. */
  readonly serverNameExtension?: Buffer;
  readonly protocolsExtension?: Buffer;
  readonly extensionsTwice?: boolean;
  readonly behind?: number;
}

/** The handshake message, without records. Lengths are bytes. */
export function helloBytes(parts: HelloParts): Buffer {
  const { sessionId = 32, ciphers = 4, compressions = 1 } = parts;
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    vector(1, Buffer.alloc(sessionId, 1)),
    vector(2, Buffer.alloc(ciphers, 2)),
    vector(1, Buffer.alloc(compressions)),
    ...(parts.extensions === 'none' ? [] : [vector(2, extensionsOf(parts))]),
    Buffer.alloc(parts.behind ?? 0),
  ]);
  return Buffer.concat([Buffer.from([1]), vector(3, body)]);
}

function extensionsOf(parts: HelloParts): Buffer {
  const { serverName, protocols, serverNameExtension, protocolsExtension } = parts;
  const name = serverName === undefined ? undefined : vector(2, nameOf(serverName));
  const list = protocols === undefined ? undefined : vector(2, Buffer.concat(protocols.map(protocolOf)));
  const extensions = Buffer.concat([
    extension(10, Buffer.from([0, 2, 0, 29])),
    extension(0, serverNameExtension ?? name),
    extension(16, protocolsExtension ?? list),
  ]);
  return parts.extensionsTwice ? Buffer.concat([extensions, extensions]) : extensions;
}

function nameOf(text: string): Buffer {
  return Buffer.concat([Buffer.from([0]), vector(2, Buffer.from(text))]);
}

function protocolOf(text: string): Buffer {
  return vector(1, Buffer.from(text));
}

function extension(type: number, content: Buffer | undefined): Buffer {
  if (content === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([0, type]), vector(2, content)]);
}

function vector(lengthBytes: number, content: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}

/** The message in records of these sizes; what is left is in the last one. */
export function inRecords(message: Buffer, sizes: readonly number[] = []): Buffer {
  const records: Buffer[] = [];
  let rest = message;
  for (const size of sizes) {
    if (rest.length <= size) break;
    records.push(recordOf(rest.subarray(0, size)));
    rest = rest.subarray(size);
  }
  return Buffer.concat([...records, recordOf(rest)]);
}

function recordOf(fragment: Buffer): Buffer {
  return Buffer.concat([Buffer.from([22, 3, 1]), vector(2, fragment)]);
}
