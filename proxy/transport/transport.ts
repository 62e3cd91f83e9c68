// What a connection reads from and writes to: the socket itself (`plain-transport.ts`) or a layer of encryption over it.
// Outcomes are numbers: 0 or more, or an errno negated.

import type { NativeBuffer } from '../../native/native-buffer.ts';

export interface Transport {
  /** The descriptor whose events say when to try again. */
  readonly fd: number;
  /** Goes on establishing: 0 when data can flow, -EAGAIN when it must be called again after the next event. */
  establish(): number;
  /** Bytes read into `buffer` at `offset`; 0 at the peer's orderly end; -EAGAIN when there are none. */
  read(buffer: NativeBuffer, offset: number, length: number): number;
  /** Bytes taken of `buffer` from `offset`, perhaps fewer than `length`; -EAGAIN when none. */
  write(buffer: NativeBuffer, offset: number, length: number): number;
  /** What `read` would return, 1 for any number of bytes, without taking them. An error is taken: it is told once. */
  look(): number;
  /** Tells the peer that no more is written. */
  shutdownWrite(): number;
  /** Frees everything and closes the descriptor. Called exactly once, last. */
  close(): void;
}
