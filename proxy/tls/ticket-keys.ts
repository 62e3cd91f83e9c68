// Keys of session tickets that nobody has configured: of a seed that all workers of the process have, another one each day.
// Whoever learns a key can read what was said in sessions of TLS 1.2 that were resumed by it, so none lives for long (RFC 9325 4.3, RFC 5077 5.5).

import { hkdfSync } from 'node:crypto';
import { TICKET_KEY_BYTES } from '../../native/tls-tickets.ts';

export class TicketKeys {
  readonly #seed: Uint8Array;
  readonly #wallClock: () => number;
  #period = -1;
  #keys: readonly Uint8Array[] = [];

  /** `seed` has 32 random bytes or more. */
  constructor(seed: Uint8Array, wallClock: () => number) {
    this.#seed = seed;
    this.#wallClock = wallClock;
  }

  /** Today's, which makes tickets, and yesterday's, which still opens them. */
  current(): readonly Uint8Array[] {
    const period = Math.floor(this.#wallClock() / PERIOD_MS);
    if (period !== this.#period) {
      this.#period = period;
      this.#keys = [this.#derive(period), this.#derive(period - 1)];
    }
    return this.#keys;
  }

  #derive(period: number): Uint8Array {
    return new Uint8Array(hkdfSync('sha256', this.#seed, '', `session tickets ${period}`, TICKET_KEY_BYTES));
  }
}

const PERIOD_MS = 24 * 60 * 60 * 1000;
