// The end of a connection whose last bytes must arrive: sends what waits, then FIN, and reads and drops what still comes
// until the peer has ended too. Closing with unread input would send RST, which makes the peer's kernel drop what it
// has received and not handed on yet (RFC 9112 section 9.6).
//
// The time that it may take is that of a peer who has got everything. While bytes wait, a slow peer is not cut as long as it
// takes some now and then: the kernel tells that there is room when a third of its buffer is free, which may take seconds.

import { EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import type { CloseReason } from './byte-stream.ts';
import type { EventInterest } from './event-interest.ts';
import type { StreamInput } from './stream-input.ts';
import type { StreamOutput } from './stream-output.ts';

/** The parts of the connection that closes. */
export interface LingeringParts {
  readonly interest: EventInterest;
  readonly input: StreamInput;
  readonly output: StreamOutput;
}

/** The peer has not ended in time. */
export const CLOSED_LATE: CloseReason = { kind: 'local', isLate: true };

/** How long nothing may happen: more than the peer's `timeoutMs` while it does not take what waits. */
export function lingerLimitMs(timeoutMs: number, isWaiting: boolean): number {
  return isWaiting ? Math.max(timeoutMs, STALLED_MS) : timeoutMs;
}

export class LingeringClose {
  readonly #parts: LingeringParts;
  #timeoutMs = 0;
  #waitingBytes: number;

  constructor(parts: LingeringParts) {
    this.#parts = parts;
    this.#waitingBytes = parts.output.waitingBytes;
    parts.input.stop();
    parts.output.isEnding = true;
  }

  /** First call, once; `timeoutMs` is for the peer to end when all is sent. Returns as `onEvents`. */
  begin(timeoutMs: number): boolean {
    this.#timeoutMs = timeoutMs;
    const { interest, input } = this.#parts;
    if (!input.isEnded && interest.add(INPUT) < 0) return true;
    return this.#sendEnd();
  }

  /** How long nothing may happen from now on. */
  get limitMs(): number {
    return lingerLimitMs(this.#timeoutMs, this.#parts.output.waitingBytes > 0);
  }

  /** Whether bytes have left since the last call: the limit begins anew. */
  hasSent(): boolean {
    const { waitingBytes } = this.#parts.output;
    const hasSent = waitingBytes < this.#waitingBytes;
    this.#waitingBytes = waitingBytes;
    return hasSent;
  }

  /** Whether it is over: the peer has ended or failed, and all is sent that can be. */
  onEvents(events: number): boolean {
    if ((events & EpollEvent.writable) !== 0 && this.#flush()) return true;
    if ((events & ~EpollEvent.writable) === 0) return false;
    if (this.#parts.input.isEnded) return this.#onEventAfterEnd(events);
    return this.#discard();
  }

  #flush(): boolean {
    const { interest, output } = this.#parts;
    const result = output.flush();
    if (result === -Errno.EAGAIN) return this.#waitToWrite() < 0;
    if (result < 0 || interest.remove(EpollEvent.writable) < 0) return true;
    return this.#sendEnd();
  }

  #waitToWrite(): number {
    const { interest, output } = this.#parts;
    return output.waitsForInput ? interest.holdTo(EpollEvent.readable) : interest.add(EpollEvent.writable);
  }

  #sendEnd(): boolean {
    const { input, output } = this.#parts;
    if (input.isEnded && output.endsByClosing) return true;
    const result = output.sendEnd();
    if (result === -Errno.EAGAIN) return this.#waitToWrite() < 0;
    return result < 0 || (input.isEnded && output.isEnded);
  }

  #discard(): boolean {
    const { interest, input, output } = this.#parts;
    const count = input.discard();
    if (count > 0) return false;
    if (count === -Errno.EAGAIN) return input.waitsForRoom && interest.holdTo(EpollEvent.writable) < 0;
    if (count < 0 || output.isEnded) return true;
    input.isEnded = true;
    return interest.remove(INPUT) < 0;
  }

  /** The peer wants nothing more either when that is an error; a hang-up would be told for ever. */
  #onEventAfterEnd(events: number): boolean {
    if ((events & EpollEvent.error) !== 0) return true;
    this.#parts.interest.detach();
    return false;
  }
}

const INPUT = EpollEvent.readable | EpollEvent.peerEnded;
/** For a peer that takes nothing of what waits. */
const STALLED_MS = 30_000;
