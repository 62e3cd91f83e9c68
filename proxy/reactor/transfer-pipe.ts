// The one pipe of a worker through which the kernel moves bytes from socket to socket (splice(2)), so that bulk is not
// copied through our memory. It is empty between two events: what a socket does not take is read out of it at once,
// and waits like any other bytes. So two descriptors serve every connection, and nothing is held in the kernel for
// a peer that is slow.

import type { NativeBuffer } from '../../native/native-buffer.ts';
import { close } from '../../native/socket.ts';
import { createPipe, type Pipe, readPipe, setPipeCapacity, splice } from '../../native/splice.ts';

export class TransferPipe {
  readonly #pipe: Pipe;

  /** Undefined when the process has no descriptors left. */
  static open(): TransferPipe | undefined {
    const pipe = createPipe();
    if (typeof pipe === 'number') return undefined;
    // Refused, it holds 64 KiB, and moves less at a time.
    setPipeCapacity(pipe, CAPACITY_BYTES);
    return new TransferPipe(pipe);
  }

  private constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** Moves up to `length` bytes of socket `fd` into the empty pipe. Returns as `receive` does. */
  fill(fd: number, length: number): number {
    return splice(fd, this.#pipe.writeFd, length);
  }

  /** Moves up to `length` bytes, which the pipe holds, into socket `fd`. Returns as `send` does. */
  empty(fd: number, length: number): number {
    let moved = 0;
    while (moved < length) {
      const count = splice(this.#pipe.readFd, fd, length - moved);
      if (count <= 0) return moved > 0 ? moved : count;
      moved += count;
    }
    return moved;
  }

  /** Takes up to `length` bytes out into memory. Returns how many, or a negated errno. */
  read(buffer: NativeBuffer, offset: number, length: number): number {
    return readPipe(this.#pipe, buffer, offset, length);
  }

  /** Drops the `length` bytes that the pipe holds, by way of `scratch`. */
  discard(length: number, scratch: NativeBuffer): void {
    let left = length;
    while (left > 0) {
      const count = this.read(scratch, 0, Math.min(left, scratch.length));
      if (count <= 0) return;
      left -= count;
    }
  }

  close(): void {
    close(this.#pipe.readFd);
    close(this.#pipe.writeFd);
  }
}

/** What Linux allows everybody, when not configured otherwise (/proc/sys/fs/pipe-max-size). */
const CAPACITY_BYTES = 1024 * 1024;
