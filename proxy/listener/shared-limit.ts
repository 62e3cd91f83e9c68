// A limit of open connections that holds over all workers: one number in shared memory.

/** Plain data, made by the main thread and sent to every worker. */
export interface SharedLimit {
  readonly max: number;
  /** 32 bits: how many are open now. */
  readonly memory: SharedArrayBuffer;
}

export function makeSharedLimit(max: number): SharedLimit {
  return { max, memory: new SharedArrayBuffer(4) };
}

/** A worker's use of a limit. */
export class LimitedConnections {
  readonly #max: number;
  readonly #open: Int32Array;

  constructor({ max, memory }: SharedLimit) {
    this.#max = max;
    this.#open = new Int32Array(memory);
  }

  /** Counts one more, unless that would be too many. */
  tryAdd(): boolean {
    if (Atomics.add(this.#open, 0, 1) < this.#max) return true;
    Atomics.sub(this.#open, 0, 1);
    return false;
  }

  remove(): void {
    Atomics.sub(this.#open, 0, 1);
  }
}
