import koffi from 'koffi';

/**
 * Memory that foreign calls may read and write. It holds the address and the Buffer together: a Buffer that only its
 * address is known of is collected by V8, and the heap is corrupted by the next call.
 */
export class NativeBuffer {
  readonly bytes: Buffer;
  /** The same bytes as words. */
  readonly view: DataView;
  /** For the calls of this folder only. */
  readonly address: number;

  constructor(length: number) {
    // Its own ArrayBuffer, never a slice of Node's pool: the address must stay this buffer's.
    this.bytes = Buffer.allocUnsafeSlow(length);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, length);
    this.address = Number(koffi.address(this.bytes));
  }

  get length(): number {
    return this.bytes.length;
  }
}
