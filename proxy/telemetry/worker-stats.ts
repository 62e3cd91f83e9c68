// The blocks of one thread: made when first asked for, shared by all who ask for the same name, gone with the last.
//
// The main thread learns where blocks lie from announcements, which are plain data (a SharedArrayBuffer travels as a
// reference). The main thread keeps its own counters in an instance of its own, whose announcements go straight to the store.

import { SlotMemory } from './slot-memory.ts';
import { releaseBlock, StatBlock, type StatScope, type StatSet } from './stats.ts';

export type BlockAnnouncement =
  /** Chunks are numbered from 0 in the order of their announcement. */
  | { readonly kind: 'chunk'; readonly buffer: SharedArrayBuffer }
  /** Sets are numbered from 0 in the order of their announcement. */
  | { readonly kind: 'set'; readonly scope: StatScope }
  | {
      readonly kind: 'block';
      readonly block: number;
      readonly set: number;
      readonly names: readonly string[];
      readonly address: number;
    }
  | { readonly kind: 'release'; readonly block: number };

interface Entry {
  readonly block: StatBlock;
  readonly number: number;
  users: number;
}

export class WorkerStats {
  readonly #publish: (message: BlockAnnouncement) => void;
  readonly #memory: SlotMemory;
  readonly #setNumbers = new Map<StatSet, number>();
  readonly #entries = new Map<string, Entry>();
  /** Slots of released blocks, by the number of the release that must have been seen before they may be used again. */
  readonly #quarantine: { readonly release: number; readonly address: number; readonly slots: number }[] = [];
  #blocks = 0;
  #releases = 0;

  constructor(publish: (message: BlockAnnouncement) => void) {
    this.#publish = publish;
    this.#memory = new SlotMemory((buffer) => publish({ kind: 'chunk', buffer }));
  }

  /**
   * The block of this set under these names, one for each `{label}` of the set's template. The same one for everybody
   * who asks; each calls `release` once. Not for the data path: keep the block.
   */
  block(set: StatSet, ...names: readonly string[]): StatBlock {
    const setNumber = this.#setNumber(set);
    const key = entryKey(setNumber, names);
    const known = this.#entries.get(key);
    if (known !== undefined) {
      known.users++;
      return known.block;
    }
    this.#reclaim();
    const block = new StatBlock(this.#memory, set, names);
    const number = this.#blocks++;
    this.#entries.set(key, { block, number, users: 1 });
    this.#publish({ kind: 'block', block: number, set: setNumber, names, address: block.address });
    return block;
  }

  /** Ends one use of a block. After the last, its stats disappear and it must not be written any more. */
  release(block: StatBlock): void {
    const key = entryKey(this.#setNumber(block.statSet), block.names);
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.block !== block) throw new Error(`stats of ${key} were released twice`);
    if (--entry.users > 0) return;
    this.#entries.delete(key);
    const release = ++this.#releases;
    releaseBlock(this.#memory, block, (address, slots) => this.#quarantine.push({ release, address, slots }));
    this.#publish({ kind: 'release', block: entry.number });
  }

  #setNumber(set: StatSet): number {
    const known = this.#setNumbers.get(set);
    if (known !== undefined) return known;
    const number = this.#setNumbers.size;
    this.#setNumbers.set(set, number);
    this.#publish({ kind: 'set', scope: set.scope });
    return number;
  }

  // Slots are used again only when the reader has forgotten their block; else a scrape would show the numbers of one
  // cluster under the name of another.
  #reclaim(): void {
    const seen = this.#memory.releasesSeen;
    let count = 0;
    for (const { release, address, slots } of this.#quarantine) {
      if (release > seen) break;
      this.#memory.free(address, slots);
      count++;
    }
    this.#quarantine.splice(0, count);
  }
}

function entryKey(setNumber: number, names: readonly string[]): string {
  return `${setNumber} ${names.join('\0')}`;
}
