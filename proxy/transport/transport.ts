// What a connection reads from and writes to: the socket itself (`plain-transport.ts`) or TLS over it (`tls-transport.ts`).
// Outcomes are numbers: 0 or more, or an errno negated.

import type { NativeBuffer } from '../../native/native-buffer.ts';

/** `nothing`: what a call waits for by its nature, input for a read and room for a write. */
export const TransportWant = { nothing: 0, read: 1, write: 2 } as const;
export type TransportWant = (typeof TransportWant)[keyof typeof TransportWant];

export interface Transport {
  /** The descriptor whose events say when to try again. */
  readonly fd: number;
  /** The bytes of the socket are those that are read and written: the kernel may move them from socket to socket by itself. */
  readonly isPlain: boolean;
  /** What the last call that returned -EAGAIN waits for: under TLS a read may wait for room, and a write for input. */
  readonly want: TransportWant;
  /** Input was taken from the socket and not handed out yet, so that no event will tell of it: `read` gets it. */
  readonly hasPending: boolean;
  /** Why it failed, as a sentence; empty while it has not, and when the errno says all there is to say. */
  readonly problem: string;
  /** Goes on establishing: 0 when data can flow, -EAGAIN when it must be called again after the next event. */
  establish(): number;
  /** Bytes read into `buffer` at `offset`; 0 at the peer's orderly end; -EAGAIN when there are none. */
  read(buffer: NativeBuffer, offset: number, length: number): number;
  /**
   * Bytes taken of `buffer` from `offset`, perhaps fewer than `length`; -EAGAIN when none. The next write must go on with
   * the bytes behind those that were taken, in calls of any length.
   */
  write(buffer: NativeBuffer, offset: number, length: number): number;
  /** What `read` would return, 1 for any number of bytes, without taking them. An error is taken: it is told once. */
  look(): number;
  /** Tells the peer that no more is written; -EAGAIN when it must be called again. */
  shutdownWrite(): number;
  /** Frees everything and closes the descriptor. Called exactly once, last. */
  close(): void;
}
