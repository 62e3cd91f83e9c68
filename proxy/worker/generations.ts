// Which generation was published last, and which one each worker serves, in memory that all threads share: whoever asks
// learns it without a message that would wait behind others.

/** Plain data: made by the main thread and sent to every worker. The published generation, then one for each worker. */
export type GenerationMemory = SharedArrayBuffer;

export function makeGenerationMemory(workers: number): GenerationMemory {
  return new SharedArrayBuffer((1 + workers) * Int32Array.BYTES_PER_ELEMENT);
}

export class Generations {
  readonly #cells: Int32Array;

  constructor(memory: GenerationMemory) {
    this.#cells = new Int32Array(memory);
  }

  /** How many there are. */
  get workers(): number {
    return this.#cells.length - 1;
  }

  /** 0 is none yet. */
  get published(): number {
    return Atomics.load(this.#cells, 0);
  }

  /** What each worker serves, in their order. */
  get applied(): readonly number[] {
    return Array.from({ length: this.#cells.length - 1 }, (_, worker) => Atomics.load(this.#cells, 1 + worker));
  }

  /** Throws when somebody else published meanwhile, or the generation is none that follows. */
  publish(generation: number, before: number): void {
    const found = Atomics.compareExchange(this.#cells, 0, before, generation);
    if (found !== before || generation <= before) {
      throw new Error(`generation ${generation} was to follow ${before}, but ${found} is published`);
    }
  }

  /** A worker serves this generation from now on. */
  apply(worker: number, generation: number): void {
    Atomics.store(this.#cells, 1 + worker, generation);
  }
}
