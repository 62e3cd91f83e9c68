// When worker threads load native code, in memory that all threads share. Node stops threads where they are when the
// process ends. One that is stopped while koffi loads, or declares a foreign function, aborts the process: there a failed
// call throws, and nothing can be thrown any more. Of an error in a bootstrap an operator would then see a dump of native
// frames, and 134 in place of exit code 1.

/** Plain data: made by the main thread and sent to every worker. A cell for each. */
export type LoadingMemory = SharedArrayBuffer;

export function makeLoadingMemory(workers: number): LoadingMemory {
  return new SharedArrayBuffer(workers * Int32Array.BYTES_PER_ELEMENT);
}

// What a cell says.
const NOT_BEGUN = 0;
const LOADING = 1;
const DONE = 2;
const HELD_BACK = 3;

export class LoadingThreads {
  readonly #cells: Int32Array;

  constructor(memory: LoadingMemory) {
    this.#cells = new Int32Array(memory);
  }

  /** By a worker, before it loads native code. Does not return when the process ends. */
  begin(worker: number): void {
    if (Atomics.compareExchange(this.#cells, worker, NOT_BEGUN, LOADING) === HELD_BACK) {
      Atomics.wait(this.#cells, worker, HELD_BACK);
    }
  }

  /** A worker has loaded what it runs, or ended. */
  noteDone(worker: number): void {
    Atomics.store(this.#cells, worker, DONE);
    Atomics.notify(this.#cells, worker);
  }

  /**
   * By the main thread, before the process ends: nobody begins any more, and who has begun is waited for, for so long at most,
   * however many there are.
   */
  holdBack(maxMs: number, clock: () => number = () => performance.now()): void {
    const cells = this.#cells;
    const untilMs = clock() + maxMs;
    for (let worker = 0; worker < cells.length; worker++) {
      Atomics.compareExchange(cells, worker, NOT_BEGUN, HELD_BACK);
    }
    for (let worker = 0; worker < cells.length; worker++) {
      Atomics.wait(cells, worker, LOADING, Math.max(0, untilMs - clock()));
    }
  }
}
