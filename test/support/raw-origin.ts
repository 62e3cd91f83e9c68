// An origin that keeps every byte it receives and answers as its test says, byte for byte.

import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';
import { type ReferenceMessage, readRequest } from './reference-parser.ts';

/** One connection of the proxy to the origin. */
export class OriginConnection {
  readonly socket: Socket;
  readonly index: number;
  /** Everything received, latin1. */
  text = '';
  /** Over: `end` when only the peer's side ended in order. */
  outcome: 'end' | 'closed' | undefined;
  /** Told of everything that arrives. */
  onText: ((added: string, connection: OriginConnection) => void) | undefined;

  constructor(socket: Socket, index: number) {
    this.socket = socket;
    this.index = index;
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }
}

export class RawOrigin {
  readonly connections: OriginConnection[] = [];
  port = 0;
  /** What a new connection does; may be changed between connections. */
  onConnection: (connection: OriginConnection) => void;
  readonly #server: Server;
  #changed = Promise.withResolvers<void>();

  private constructor(onConnection: (connection: OriginConnection) => void) {
    this.onConnection = onConnection;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /** Listens until the end of the test. */
  static async start(t: Test, onConnection: (connection: OriginConnection) => void): Promise<RawOrigin> {
    const origin = new RawOrigin(onConnection);
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    origin.port = (origin.#server.address() as { port: number }).port;
    t.teardown(() => {
      origin.#server.close();
      for (const { socket } of origin.connections) socket.destroy();
    });
    return origin;
  }

  /** Everything received on all connections, in the order in which they were made. */
  get text(): string {
    return this.connections.map(({ text }) => text).join('');
  }

  /** Forgets connections that are over, and what the others have received. */
  forget(): void {
    for (let index = this.connections.length - 1; index >= 0; index--) {
      const connection = this.connections[index]!;
      connection.text = '';
      if (connection.outcome === 'closed') this.connections.splice(index, 1);
    }
  }

  /** Resolves when `isEnough`; it is asked after everything that happens to the origin. */
  async until(isEnough: (origin: RawOrigin) => boolean): Promise<void> {
    while (!isEnough(this)) await this.#changed.promise;
  }

  /** Resolves when every connection is over. */
  allClosed(): Promise<void> {
    return this.until(({ connections }) => connections.every(({ outcome }) => outcome === 'closed'));
  }

  #accept(socket: Socket): void {
    const connection = new OriginConnection(socket, this.connections.length);
    this.connections.push(connection);
    socket.on('data', (data) => {
      const added = data.toString('latin1');
      connection.text += added;
      connection.onText?.(added, connection);
      this.#wake();
    });
    socket.on('end', () => {
      connection.outcome ??= 'end';
      // What is left to say is up to the test; a proxy that is done with a connection must not wait for us.
      if (!socket.writableEnded) socket.end();
      this.#wake();
    });
    // A reset of the proxy's is part of what these tests bring about.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      connection.outcome = 'closed';
      this.#wake();
    });
    this.onConnection(connection);
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Has `answer` called with every request of the connection when it is complete, one after the other. */
export function onEachRequest(
  connection: OriginConnection,
  answer: (request: ReferenceMessage, connection: OriginConnection) => void,
): void {
  let pending = '';
  connection.onText = (added) => {
    pending += added;
    for (;;) {
      const message = readRequest(pending, true);
      if (typeof message === 'string') return;
      pending = pending.slice(message.length);
      answer(message, connection);
    }
  };
}

/** Answers every request with its own target as the body: who gets another one's answer can tell. */
export function answerWithTarget(connection: OriginConnection): void {
  onEachRequest(connection, (request) => {
    const target = request.firstLine[1];
    const body = request.firstLine[0] === 'HEAD' ? '' : target;
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${body}`);
  });
}
