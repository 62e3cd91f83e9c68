// A BPF ring buffer as the kernel writes it (kernel/bpf/ringbuf.c), in plain memory: its two positions, records that are
// reserved, filled and then submitted or discarded in any order, and data that are there twice.

import type { RingMemory } from '../../bpf/events/ring-reader.ts';

const BUSY = 0x8000_0000;
const DISCARD = 0x4000_0000;
const HEADER_BYTES = 8;
const PAGE_BYTES = 4096;

export interface Reservation {
  readonly at: number;
  readonly length: number;
}

export class ModelRing {
  readonly memory: RingMemory;
  /** Reservations that found no room. */
  lost = 0;
  readonly #view: DataView;
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #capacityBytes: number;
  #position: number;

  /** `start`: where both positions are at first, a multiple of 8. */
  constructor(capacityBytes: number, start = 0) {
    const consumer = new ArrayBuffer(PAGE_BYTES);
    const producer = new ArrayBuffer(PAGE_BYTES + capacityBytes * 2);
    this.memory = { consumer, producer, dataOffset: PAGE_BYTES, capacityBytes };
    this.#view = new DataView(producer, PAGE_BYTES);
    this.#consumer = new BigUint64Array(consumer, 0, 1);
    this.#producer = new BigUint64Array(producer, 0, 1);
    this.#capacityBytes = capacityBytes;
    this.#position = start;
    this.#consumer[0] = BigInt(start);
    this.#producer[0] = BigInt(start);
  }

  get usedBytes(): number {
    return this.#position - Number(this.#consumer[0]);
  }

  /** Undefined, and counted, when there is no room. */
  reserve(length: number): Reservation | undefined {
    const total = (length + HEADER_BYTES + 7) & ~7;
    if (this.usedBytes + total > this.#capacityBytes - 1) {
      this.lost++;
      return undefined;
    }
    const at = this.#position % this.#capacityBytes;
    this.#write32(at, length + BUSY);
    this.#position += total;
    this.#producer[0] = BigInt(this.#position);
    return { at, length };
  }

  /** Fills the record with `byte`, its first four bytes with `number`, and makes it readable. */
  submit({ at, length }: Reservation, number: number): void {
    for (let index = 4; index < length; index++) this.#write8(at + HEADER_BYTES + index, number & 0xff);
    this.#write32(at + HEADER_BYTES, number);
    this.#write32(at, length);
  }

  discard({ at, length }: Reservation): void {
    this.#write32(at, length + DISCARD);
  }

  #write32(at: number, value: number): void {
    for (let index = 0; index < 4; index++) this.#write8(at + index, (value / 2 ** (index * 8)) & 0xff);
  }

  /** Both mappings show the same byte. */
  #write8(at: number, value: number): void {
    const place = at % this.#capacityBytes;
    this.#view.setUint8(place, value);
    this.#view.setUint8(place + this.#capacityBytes, value);
  }
}
