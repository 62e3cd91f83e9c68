// How many steps of TLS handshakes a turn of the reactor may do.
//
// A step is the work between two waits of a handshake: keys, signatures, the verification of a chain. It costs hundreds of
// times what a read does, so that a thousand connections which arrive at once would keep all that are open waiting for a
// second. Beyond the budget a handshake waits for the next turn: its event is level-triggered and comes again, in the order
// of arrival, after those of open connections have been handled.

export class HandshakeBudget {
  readonly #stepsPerTurn: number;
  #turn = -1;
  #left = 0;

  constructor(stepsPerTurn: number = STEPS_PER_TURN) {
    this.#stepsPerTurn = stepsPerTurn;
  }

  /** Whether one step more may be done in this turn; it counts as done then. */
  take(turn: number): boolean {
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#left = this.#stepsPerTurn;
    }
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}

const STEPS_PER_TURN = 4;
