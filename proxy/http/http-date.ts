// The `date` line of responses that bring none (RFC 9110 §6.6.1), renewed once a second instead of once a response.

import { type EncodedLine, encodeLine } from './header-table.ts';

export class HttpDate {
  current: EncodedLine;
  readonly #wallClock: () => number;

  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
    this.current = encodeLine('date', new Date(wallClock()).toUTCString());
  }

  update(): void {
    this.current = encodeLine('date', new Date(this.#wallClock()).toUTCString());
  }
}
