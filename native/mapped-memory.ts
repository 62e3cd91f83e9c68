// Memory that is shared with the kernel by mapping a descriptor (mmap(2)): rings and arrays of BPF are read without a system
// call. JavaScript sees it as an ArrayBuffer that it does not own.

import koffi from 'koffi';
import { declare, failure } from './libc.ts';

export interface MappedRange {
  /** A multiple of the page size. */
  readonly offset: number;
  readonly length: number;
  /** Writing to a view of what is not writable ends the process: the kernel knows no exceptions. */
  readonly writable: boolean;
}

export class MappedMemory {
  readonly #address: number;
  readonly #length: number;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  private constructor(address: number, length: number) {
    this.#address = address;
    this.#length = length;
    this.#bytes = new Uint8Array(koffi.view(address, length));
  }

  /** A shared mapping, which needs the descriptor no more; or a negated errno. */
  static map(fd: number, { offset, length, writable }: MappedRange): MappedMemory | number {
    const protection = PROT_READ | (writable ? PROT_WRITE : 0);
    const address = sysMmap(0, length, protection, MAP_SHARED, fd, offset);
    return address === MAP_FAILED ? failure() : new MappedMemory(address, length);
  }

  /** The memory itself; views of other types take its `buffer`. Throws after `unmap`. */
  get bytes(): Uint8Array<ArrayBuffer> {
    if (this.#bytes === undefined) throw new Error('this memory is not mapped any more');
    return this.#bytes;
  }

  /**
   * Gives the memory back, once. Views that somebody still holds are empty from now on instead of pointing to memory that
   * is not there: the buffer is detached before.
   */
  unmap(): void {
    if (this.#bytes === undefined) return;
    this.#bytes.buffer.transfer(0);
    this.#bytes = undefined;
    sysMunmap(this.#address, this.#length);
  }
}

const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = -1;

// The address as signed: -1 is the failure.
const sysMmap = declare('long', 'mmap', ['uint64_t', 'size_t', 'int', 'int', 'int', 'long']) as (
  ...values: [number, number, number, number, number, number]
) => number;
const sysMunmap = declare('int', 'munmap', ['uint64_t', 'size_t']) as (address: number, length: number) => number;
