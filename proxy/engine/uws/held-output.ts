// Whether uWebSockets.js keeps bytes of responses for a client that has not taken them. It does not say so; and who ends the
// connection meanwhile, or goes on with it without the library, cuts them off.
//
// Who asks has it write what it keeps before. So nothing is kept when there was room in a turn and the kernel was given nothing
// more; one turn may be that of an event from before.

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
const QUIET_TURNS = 2;
