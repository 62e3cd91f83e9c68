// The sending half of a connection: bytes that wait for the peer, and the FIN behind them.

import { Errno } from '../../native/errno.ts';
import type { NativeBuffer } from '../../native/native-buffer.ts';
import { type Transport, TransportWant } from '../transport/transport.ts';
import type { Reactor } from './reactor.ts';
import type { TransferPipe } from './transfer-pipe.ts';
import { WriteQueue } from './write-queue.ts';

export class StreamOutput {
  bytesSent = 0;
  /** FIN is asked for: it is sent when nothing waits. */
  isEnding = false;
  isEnded = false;
  #transport: Transport;
  readonly #queue: WriteQueue;

  constructor(reactor: Reactor, transport: Transport) {
    this.#transport = transport;
    this.#queue = new WriteQueue(reactor.buffers);
  }

  /** Before the first byte is sent. */
  useTransport(transport: Transport): void {
    this.#transport = transport;
  }

  get waitingBytes(): number {
    return this.#queue.lengthBytes;
  }

  /** Copies bytes behind those that wait. */
  enqueue(buffer: NativeBuffer, start: number, end: number): void {
    this.#queue.append(buffer, start, end);
  }

  /**
   * Sends bytes, and keeps what the kernel does not take. Returns 0 when it took all, -EAGAIN when some wait now, another
   * negated errno when nothing can be sent any more.
   */
  send(buffer: NativeBuffer, start: number, end: number): number {
    const taken = this.#transport.write(buffer, start, end - start);
    if (taken === end - start) {
      this.bytesSent += taken;
      return 0;
    }
    if (taken < 0 && taken !== -Errno.EAGAIN) return taken;
    const sent = Math.max(taken, 0);
    this.bytesSent += sent;
    this.#queue.append(buffer, start + sent, end);
    return -Errno.EAGAIN;
  }

  /** As `send`, for the `length` bytes that `pipe` holds. It is empty afterwards; what is lost goes by way of `scratch`. */
  sendFrom(pipe: TransferPipe, length: number, scratch: NativeBuffer): number {
    if (!this.#transport.isPlain) return this.#sendCopied(pipe, length);
    const taken = this.#queue.lengthBytes > 0 ? -Errno.EAGAIN : pipe.empty(this.#transport.fd, length);
    if (taken === length) {
      this.bytesSent += taken;
      return 0;
    }
    if (taken < 0 && taken !== -Errno.EAGAIN) {
      pipe.discard(length, scratch);
      return taken;
    }
    const sent = Math.max(taken, 0);
    this.bytesSent += sent;
    const kept = this.#queue.appendFrom(pipe, length - sent);
    return kept < 0 ? kept : -Errno.EAGAIN;
  }

  #sendCopied(pipe: TransferPipe, length: number): number {
    const waited = this.#queue.lengthBytes > 0;
    const kept = this.#queue.appendFrom(pipe, length);
    if (kept < 0) return kept;
    return waited ? -Errno.EAGAIN : this.flush();
  }

  /** Sends what waits. Returns as `send`. */
  flush(): number {
    const before = this.#queue.lengthBytes;
    const result = this.#queue.flush(this.#transport);
    this.bytesSent += before - this.#queue.lengthBytes;
    return result;
  }

  /** After a write without outcome: it goes on when there is input. */
  get waitsForInput(): boolean {
    return this.#transport.want === TransportWant.read;
  }

  /** Whether closing the descriptor says all that `sendEnd` would. */
  get endsByClosing(): boolean {
    return this.#transport.isPlain && this.#queue.lengthBytes === 0;
  }

  /** Sends the end (FIN), once, when nothing waits in front of it. Returns 0, -EAGAIN to be called again, or another negated errno. */
  sendEnd(): number {
    if (this.isEnded || this.#queue.lengthBytes > 0) return 0;
    const result = this.#transport.shutdownWrite();
    if (result < 0) return result;
    this.isEnded = true;
    return 0;
  }

  /** Forgets what waits and gives the memory back. */
  clear(): void {
    this.#queue.clear();
  }
}
