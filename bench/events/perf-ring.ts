// Reading events as `perf` and its libraries do: a buffer of perf for each core, each record copied out of it and handed to a
// callback. Records wrap around the end of the buffer, so a reader that hands them on has no choice but to copy.
// https://man7.org/linux/man-pages/man2/perf_event_open.2.html
import { BpfMap } from '../../native/bpf-map.ts';
import { describeErrno } from '../../native/errno.ts';
import { declare, outcome } from '../../native/libc.ts';
import { MappedMemory } from '../../native/mapped-memory.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';

export class PerfRing {
  lost = 0;
  readonly #memory: MappedMemory;
  readonly #head: BigUint64Array;
  readonly #view: DataView;
  readonly #data: Buffer;
  readonly #mask: number;

  // Records that core `core` writes through the perf event array `mapFd` come here. Throws when the kernel refuses.
  static open(mapFd: number, core: number, dataBytes: number): PerfRing {
    const fd = outcome(sysPerfEventOpen(SYS_PERF_EVENT_OPEN, attributes().address, -1, core, -1, PERF_FLAG_FD_CLOEXEC));
    if (fd < 0) throw new Error(`no perf event: ${describeErrno(-fd)}`);
    const memory = MappedMemory.map(fd, { offset: 0, length: PAGE_BYTES + dataBytes, writable: true });
    if (typeof memory === 'number') throw new Error(`no perf buffer: ${describeErrno(-memory)}`);
    const enabled = outcome(sysIoctl(fd, PERF_EVENT_IOC_ENABLE, 0));
    const put = new BpfMap(mapFd, 4, 4).update(u32(core), u32(fd));
    if (enabled < 0 || put < 0) throw new Error(`no perf event: ${describeErrno(-Math.min(enabled, put))}`);
    return new PerfRing(memory, dataBytes);
  }

  private constructor(memory: MappedMemory, dataBytes: number) {
    const { buffer } = memory.bytes;
    this.#memory = memory;
    this.#head = new BigUint64Array(buffer, DATA_HEAD_OFFSET, 2);
    this.#data = Buffer.from(buffer, PAGE_BYTES, dataBytes);
    this.#view = new DataView(buffer, PAGE_BYTES, dataBytes);
    this.#mask = dataBytes - 1;
  }

  // Everything that is there, oldest first; each record is the callback's own.
  drain(onRecord: (record: Buffer) => void): number {
    const head = Number(Atomics.load(this.#head, 0));
    let tail = Number(this.#head[1]!);
    let count = 0;
    while (tail < head) {
      const at = tail & this.#mask;
      // Records begin at multiples of eight: a header never wraps.
      const type = this.#view.getUint32(at, true);
      const size = this.#view.getUint16(at + 6, true);
      if (type === PERF_RECORD_SAMPLE) {
        const length = this.#view.getUint32((at + 8) & this.#mask, true);
        onRecord(this.#copy((tail + 12) & this.#mask, length));
        count++;
      } else if (type === PERF_RECORD_LOST) this.lost += this.#view.getUint32((at + 16) & this.#mask, true);
      tail += size;
    }
    Atomics.store(this.#head, 1, BigInt(tail));
    return count;
  }

  close(): void {
    this.#memory.unmap();
  }

  #copy(start: number, length: number): Buffer {
    const record = Buffer.allocUnsafe(length);
    const copied = this.#data.copy(record, 0, start, start + length);
    if (copied < length) this.#data.copy(record, copied, 0, length - copied);
    return record;
  }
}

const PAGE_BYTES = 4096;
const DATA_HEAD_OFFSET = 1024;
const PERF_RECORD_LOST = 2;
const PERF_RECORD_SAMPLE = 9;
const PERF_FLAG_FD_CLOEXEC = 8;
const PERF_EVENT_IOC_ENABLE = 0x2400;
const SYS_PERF_EVENT_OPEN = process.arch === 'x64' ? 298 : 241;

// struct perf_event_attr: PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT, PERF_SAMPLE_RAW; nobody is woken for a record.
function attributes(): NativeBuffer {
  const attributes = new NativeBuffer(ATTRIBUTES_BYTES);
  attributes.bytes.fill(0);
  attributes.bytes.writeUInt32LE(1, 0);
  attributes.bytes.writeUInt32LE(ATTRIBUTES_BYTES, 4);
  attributes.bytes.writeBigUInt64LE(10n, 8);
  attributes.bytes.writeBigUInt64LE(1n, 16);
  attributes.bytes.writeBigUInt64LE(1n << 10n, 24);
  attributes.bytes.writeUInt32LE(0x7fff_ffff, 48);
  return attributes;
}

const ATTRIBUTES_BYTES = 128;

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

const sysPerfEventOpen = declare('long', 'syscall', ['long', 'uint64_t', 'int', 'int', 'int', 'uint64_t']) as (
  ...values: readonly number[]
) => number;
const sysIoctl = declare('int', 'ioctl', ['int', 'uint64_t', 'uint64_t']) as (...values: readonly number[]) => number;
