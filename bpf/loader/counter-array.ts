// The counters of an object's programs (bpf/programs/counters.h), read from memory that is shared with the kernel.

import { mapInfo } from '../../native/bpf-info.ts';
import { MappedMemory } from '../../native/mapped-memory.ts';
import { type LoadFailure, systemFailure } from './load-failure.ts';

/** A generated enum of counters. A name beyond the map's entries says how many there are, and is none of them. */
export type CounterNames = Readonly<Record<string, number>>;

export class CounterArray {
  readonly #memory: MappedMemory;
  readonly #values: BigUint64Array;
  readonly #names: readonly string[];

  private constructor(memory: MappedMemory, names: readonly string[]) {
    this.#memory = memory;
    this.#values = new BigUint64Array(memory.bytes.buffer);
    this.#names = names;
  }

  /** Maps the array map of descriptor `fd`, which is not needed any more then. */
  static map(fd: number, names: CounterNames): CounterArray | LoadFailure {
    const info = mapInfo(fd);
    if (typeof info === 'number') return systemFailure('map counters', info);
    const counters = Object.keys(names).filter((name) => names[name]! < info.maxEntries);
    const memory = MappedMemory.map(fd, { offset: 0, length: PAGE_BYTES, writable: false });
    return typeof memory === 'number' ? systemFailure('map counters', memory) : new CounterArray(memory, counters);
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
