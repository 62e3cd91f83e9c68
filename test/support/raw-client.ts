// A client that writes bytes as a test gives them and keeps every byte that comes back.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawClient {
  /** Everything received, latin1. */
  text = '';
  /** Set when the connection is over: `end` in order, else the code of the error. */
  outcome: 'end' | string | undefined;
  readonly socket: Socket;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => {
      this.text += data.toString('latin1');
      this.#wake();
    });
    socket.on('end', () => this.#finish('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#finish(error.code ?? error.message));
    socket.on('close', () => this.#finish('closed'));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Writes and waits until the kernel has it and this thread's other sockets had their turn. */
  async write(text: string): Promise<void> {
    await new Promise<void>((resolve) => this.socket.write(text, 'latin1', () => resolve()));
    await nextTurn();
  }

  async writeAll(pieces: readonly string[]): Promise<void> {
    for (const piece of pieces) await this.write(piece);
  }

  /** Sends FIN and goes on reading. */
  endWriting(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Resolves with all text when `isEnough`, or when the connection is over. */
  async until(isEnough: (text: string) => boolean): Promise<string> {
    while (!isEnough(this.text) && this.outcome === undefined) await this.#changed.promise;
    return this.text;
  }

  /** Resolves with all text when the connection is over. */
  ended(): Promise<string> {
    return this.until(() => false);
  }

  #finish(outcome: string): void {
    this.outcome ??= outcome;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Lets everything that is ready on this thread's event loop happen. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
