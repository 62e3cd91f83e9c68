// A byte stream of the reactor in the shape of the socket that undici's client reads and writes. A socket of Node's would
// bring streams, ticks and reads of 64 KiB of its own: a third of this engine's CPU and most of its memory (measured).
//
// It has what the client uses, no more: events, `read` and `unshift` while input is handed on, `write`, `destroy`.

import type { OutputBuffer } from '../../http/http1/output-buffer.ts';
import type { ByteStream } from '../../reactor/byte-stream.ts';
import type { LibraryTurn } from './library-turn.ts';

type Listener = (this: StreamSocket, argument?: Error) => void;

export class StreamSocket {
  /** Set right after it was made. */
  stream!: ByteStream;
  destroyed = false;
  /** What the client has destroyed it with. */
  errored: Error | null = null;
  readonly #turn: LibraryTurn;
  readonly #output: OutputBuffer;
  readonly #listeners = new Map<string, readonly Listener[]>();
  #input: Buffer | null = null;
  #returnedBytes = 0;

  constructor(turn: LibraryTurn, output: OutputBuffer) {
    this.#turn = turn;
    this.#output = output;
  }

  /** Hands `bytes` on and returns how many were taken; the rest is to be offered again. */
  receive(bytes: Buffer): number {
    this.#input = bytes;
    this.#returnedBytes = 0;
    this.emit('readable');
    if (this.#input !== null) this.#returnedBytes = bytes.length;
    this.#input = null;
    return bytes.length - this.#returnedBytes;
  }

  emit(name: 'readable' | 'end' | 'drain' | 'close'): void;
  emit(name: 'error', error: Error): void;
  emit(name: string, error?: Error): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (let index = 0; index < listeners.length; index++) listeners[index]!.call(this, error);
  }

  /** The stream is gone. */
  end(error: Error | null): void {
    this.destroyed = true;
    if (error !== null) this.emit('error', error);
    this.emit('close');
  }

  /** As `destroy`, with RST, so that the endpoint cannot take a cut request for a whole one. */
  reset(): void {
    this.destroyed = true;
    this.#turn.enter();
    this.stream.reset();
  }

  on(name: string, listener: Listener): this {
    this.#listeners.set(name, (this.#listeners.get(name) ?? []).concat(listener));
    return this;
  }

  /** A list is never changed in place: an event may be on its way through it. */
  off(name: string, listener: Listener): this {
    const listeners = this.#listeners.get(name);
    const index = listeners?.indexOf(listener) ?? -1;
    if (index >= 0) this.#listeners.set(name, listeners!.toSpliced(index, 1));
    return this;
  }

  removeListener(name: string, listener: Listener): this {
    return this.off(name, listener);
  }

  read(): Buffer | null {
    const input = this.#input;
    this.#input = null;
    return input;
  }

  /** `bytes` are the end of what was read. */
  unshift(bytes: Uint8Array): void {
    this.#returnedBytes += bytes.length;
  }

  /** False when the endpoint does not take what it has: `drain` follows. */
  write(chunk: string | Uint8Array, _encoding?: 'latin1'): boolean {
    if (this.destroyed) return false;
    const output = this.#output;
    this.#turn.enter();
    if (typeof chunk === 'string') {
      output.begin(this.stream, chunk.length);
      output.advanceTo(output.length + output.bytes.latin1Write(chunk, output.length));
    } else {
      output.appendBytes(this.stream, chunk);
    }
    return !this.writableNeedDrain;
  }

  get writableNeedDrain(): boolean {
    return this.stream.pendingWriteBytes > 0;
  }

  /** Writes of one turn leave together anyway. */
  cork(): void {}

  uncork(): void {}

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.destroyed = true;
    this.errored = error ?? null;
    this.#turn.enter();
    this.stream.close();
    return this;
  }

  /** By this undici knows that it is a stream. */
  pipe(): never {
    throw new Error('this socket is read by undici alone');
  }
}
