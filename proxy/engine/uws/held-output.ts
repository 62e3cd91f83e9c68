// Whether uWebSockets.js keeps bytes of responses for a client that has not taken them. It does not say so; and who ends the
// connection meanwhile, or goes on with it without the library, cuts them off.
//
// What it keeps it writes as soon as there is room, in the next round of Node's loop. So nothing is kept when there was room
// for some turns and the kernel was given nothing more. Two turns may come in one round, before the library's.

import { tcpBytesWritten } from '../../../native/tcp-info.ts';

export class HeldOutput {
  readonly #fd: number;
  #writtenBytes = -1;
  #quietTurns = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Asked in turns in which the kernel has room, again until it is false. `sentBytes` is what the library was given so far. */
  isPossible(sentBytes: number): boolean {
    if (sentBytes <= SURELY_TAKEN_BYTES) return false;
    const written = tcpBytesWritten(this.#fd);
    this.#quietTurns = written === this.#writtenBytes ? this.#quietTurns + 1 : 0;
    this.#writtenBytes = written;
    if (this.#quietTurns < QUIET_TURNS) return true;
    this.#quietTurns = 0;
    this.#writtenBytes = -1;
    return false;
  }
}

/** The least that a socket has room for when it is new. */
const SURELY_TAKEN_BYTES = 8 * 1024;
const QUIET_TURNS = 6;
