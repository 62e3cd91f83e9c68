// The counters of an object's programs (bpf/programs/counters.h), read from memory that is shared with the kernel.

import { MappedMemory } from '../../native/mapped-memory.ts';
import { type LoadFailure, systemFailure } from './load-failure.ts';

/** A generated enum of counters; its last name says how many there are. */
export type CounterNames = Readonly<Record<string, number>>;

export class CounterArray {
  readonly #memory: MappedMemory;
  readonly #values: BigUint64Array;
  readonly #names: readonly string[];

  private constructor(memory: MappedMemory, names: CounterNames) {
    this.#memory = memory;
    this.#values = new BigUint64Array(memory.bytes.buffer);
    const count = Math.max(...Object.values(names));
    this.#names = Object.keys(names).filter((name) => names[name]! < count);
  }

  /** Maps the array map of descriptor `fd`, which is not needed any more then. */
  static map(fd: number, names: CounterNames): CounterArray | LoadFailure {
    const memory = MappedMemory.map(fd, { offset: 0, length: PAGE_BYTES, writable: false });
    return typeof memory === 'number' ? systemFailure('map counters', memory) : new CounterArray(memory, names);
  }

  /** One counter by its number in the enum. Throws after `unmap`, as all here. */
  value(counter: number): number {
    return Number(Atomics.load(this.#values, counter));
  }

  /** All of them, by the names they have in C in lower case. */
  values(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#names.map((name, counter) => [name.toLowerCase(), this.value(counter)]));
  }

  unmap(): void {
    this.#memory.unmap();
  }
}

// Room for 512 counters. Maps are mapped in whole pages, of which this is the smallest.
const PAGE_BYTES = 4096;
