// Shared memory for statistics, cut into slots of one double each.
//
// One thread owns a memory and writes it; the main thread reads it while it is written. There are no locks and no
// atomics: a slot has a single writer, an aligned double is never seen half written on the platforms we run on, and a
// scrape may be a few nanoseconds behind. A slot may hold the address of other slots, so that what is needed rarely
// (histograms, status codes) takes no room until it is used and needs no message to the reader.

const chunkBits = 16;
const chunkMask = (1 << chunkBits) - 1;

/** Slots of one chunk; the largest single allocation is one less. 512 KiB of address space, resident only when touched. */
export const chunkSlots = 1 << chunkBits;

/** What the reading side needs: chunks by number. An address is `chunk * chunkSlots + offset`; 0 is no address. */
export interface SlotChunks {
  readonly chunks: readonly Float64Array[];
}

/** The offset of an address within its chunk. */
export function slotOffset(address: number): number {
  return address & chunkMask;
}

/** The number of the chunk an address lies in. */
export function chunkNumber(address: number): number {
  return address >>> chunkBits;
}

export class SlotMemory implements SlotChunks {
  readonly chunks: Float64Array[] = [];
  readonly #announce: (chunk: SharedArrayBuffer) => void;
  readonly #free = new Map<number, number[]>();
  #used = chunkSlots;

  /** `announce` is told of every chunk in order; the first is made at once. */
  constructor(announce: (chunk: SharedArrayBuffer) => void) {
    this.#announce = announce;
    this.#addChunk();
    // Address 0 means "none"; its slot is the reader's (`releasesSeen`).
    this.#used = 1;
  }

  /** Takes `slots` contiguous slots, all 0. Returns their address. */
  allocate(slots: number): number {
    const reused = this.#free.get(slots)?.pop();
    if (reused !== undefined) {
      const at = slotOffset(reused);
      this.chunks[chunkNumber(reused)]!.fill(0, at, at + slots);
      return reused;
    }
    if (this.#used + slots > chunkSlots) this.#addChunk();
    const address = (this.chunks.length - 1) * chunkSlots + this.#used;
    this.#used += slots;
    return address;
  }

  /** Gives slots back. Only an allocation of the same size takes them again, so memory never fragments. */
  free(address: number, slots: number): void {
    const list = this.#free.get(slots);
    if (list === undefined) this.#free.set(slots, [address]);
    else list.push(address);
  }

  /** Releases the reader has forgotten. Written by the reader, in the one slot that is not the owner's. */
  get releasesSeen(): number {
    return this.chunks[0]![0]!;
  }

  #addChunk(): void {
    const buffer = new SharedArrayBuffer(chunkSlots * Float64Array.BYTES_PER_ELEMENT);
    this.chunks.push(new Float64Array(buffer));
    this.#used = 0;
    this.#announce(buffer);
  }
}
