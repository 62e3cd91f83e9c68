// Reads a ring of records that BPF programs write (BPF_MAP_TYPE_RINGBUF) where they lie: no system call, no copy, and no
// object per record. https://docs.kernel.org/bpf/ringbuf.html
//
// Two positions count bytes since the ring was made and never go back; their difference is what is in it. The kernel
// writes one, the reader the other. The data are mapped twice, end to end, so that a record that wraps around is still
// one piece. A record begins with its length and two bits: busy while its program fills it, discard when it thought better.
//
// The kernel sets a record's header, and then moves its position, each with release semantics; loads by Atomics acquire.
// What was read is given back by a store that releases: the kernel must not write there before the last read of it.

import { mapInfo } from '../../native/bpf-info.ts';
import { MapType } from '../../native/bpf-map.ts';
import { MappedMemory } from '../../native/mapped-memory.ts';
import { pageBytes } from '../../native/page-size.ts';
import { type LoadFailure, systemFailure } from '../loader/load-failure.ts';

/** A record lies in `view` at `offset`, until the callback returns: its place is the kernel's then. */
export type OnRecord = (view: DataView, offset: number, length: number) => void;

/** The ring's memory. Each begins with its position, as 64 bits. */
export interface RingMemory {
  /** The reader's page. */
  readonly consumer: ArrayBuffer;
  /** The kernel's page. */
  readonly producer: ArrayBuffer;
  /** Of `producer`, where the data begin, which are there twice. */
  readonly dataOffset: number;
  /** Of the data, once: a power of two. */
  readonly capacityBytes: number;
}

/** The one reader of a ring: a second one, in whatever thread, would be given the same records. */
export class RingReader {
  readonly #consumer: BigUint64Array;
  readonly #producer: BigUint64Array;
  readonly #headers: Int32Array;
  readonly #view: DataView;
  readonly #capacityBytes: number;
  readonly #unmap: () => void;
  /** Exact: 2 ** 53 bytes are more than a hundred days at a gigabyte a second. */
  #position: number;

  constructor({ consumer, producer, dataOffset, capacityBytes }: RingMemory, unmap: () => void) {
    this.#consumer = new BigUint64Array(consumer, 0, 1);
    this.#producer = new BigUint64Array(producer, 0, 1);
    this.#headers = new Int32Array(producer, dataOffset, (capacityBytes * 2) / 4);
    this.#view = new DataView(producer, dataOffset, capacityBytes * 2);
    this.#capacityBytes = capacityBytes;
    this.#unmap = unmap;
    this.#position = Number(Atomics.load(this.#consumer, 0));
  }

  /** Maps the ring of descriptor `fd`, which is not needed any more then. `capacityBytes` are the map's max_entries. */
  static map(fd: number, capacityBytes: number): RingReader | LoadFailure {
    const info = mapInfo(fd);
    if (typeof info === 'number') return systemFailure('map the ring of events', info);
    if (info.type !== MapType.ringBuffer || info.maxEntries !== capacityBytes) {
      return { reason: `map ${info.name} is no ring of ${capacityBytes} bytes` };
    }
    const page = pageBytes();
    const consumer = MappedMemory.map(fd, { offset: 0, length: page, writable: true });
    if (typeof consumer === 'number') return systemFailure('map the ring of events', consumer);
    const producer = MappedMemory.map(fd, { offset: page, length: page + capacityBytes * 2, writable: false });
    if (typeof producer === 'number') {
      consumer.unmap();
      return systemFailure('map the ring of events', producer);
    }
    const memory = {
      consumer: consumer.bytes.buffer,
      producer: producer.bytes.buffer,
      dataOffset: page,
      capacityBytes,
    };
    return new RingReader(memory, () => {
      consumer.unmap();
      producer.unmap();
    });
  }

  /**
   * Hands over records, oldest first, `most` of them at most, and returns how many. It ends before one that is still being
   * written: later ones wait for it. A record whose callback throws is read. Throws after `close`.
   */
  read(most: number, onRecord: OnRecord): number {
    const produced = Number(Atomics.load(this.#producer, 0));
    const mask = this.#capacityBytes - 1;
    // Room is given back in quarters, so that a program that finds the ring full need not wait for the end of a long poll.
    let publishAt = this.#position + this.#capacityBytes / 4;
    let count = 0;
    try {
      while (count < most && this.#position < produced) {
        const at = this.#position & mask;
        const header = Atomics.load(this.#headers, at >> 2);
        if (header < 0) break; // busy is the highest bit
        const length = header & LENGTH_MASK;
        this.#position += (length + HEADER_BYTES + 7) & ~7;
        if ((header & DISCARD_BIT) === 0) {
          count++;
          onRecord(this.#view, at + HEADER_BYTES, length);
        }
        if (this.#position >= publishAt) publishAt = this.#publish() + this.#capacityBytes / 4;
      }
    } finally {
      this.#publish();
    }
    return count;
  }

  /** Bytes of records and their headers that were not read. */
  get waitingBytes(): number {
    return Number(Atomics.load(this.#producer, 0)) - this.#position;
  }

  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  /** Unmaps: views that somebody kept are empty from now on. */
  close(): void {
    this.#unmap();
  }

  #publish(): number {
    Atomics.store(this.#consumer, 0, BigInt(this.#position));
    return this.#position;
  }
}

const HEADER_BYTES = 8;
const DISCARD_BIT = 1 << 30;
const LENGTH_MASK = DISCARD_BIT - 1;
