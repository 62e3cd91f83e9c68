// Reading and writing a BPF map by system calls: keys and values are bytes, laid out as the programs have them.

import { mapInfo } from './bpf-info.ts';
import { Errno } from './errno.ts';
import { declareLibbpf } from './libbpf.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Types of maps (enum bpf_map_type), those that we use. */
export const MapType = {
  hash: 1,
  array: 2,
  perCpuHash: 5,
  perCpuArray: 6,
  lruHash: 9,
  lruPerCpuHash: 10,
  lpmTrie: 11,
  sockMap: 15,
  sockHash: 18,
  skStorage: 24,
  ringBuffer: 27,
} as const;

/** For `BpfMap.update`. */
export const UpdateFlag = { any: 0, onlyNew: 1, onlyExisting: 2 } as const;

/** For `createMap`. */
export const MapFlag = { noPreallocation: 1, memoryMappable: 1 << 10 } as const;

export interface MapShape {
  /** One of `MapType`. */
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  /** Bits of `MapFlag`. */
  readonly flags: number;
  /** At most 15 letters, digits, dots and underscores. */
  readonly name: string;
}

/** The descriptor of a new map, closed on exec, or a negated errno. */
export function createMap({ type, keyBytes, valueBytes, maxEntries, flags, name }: MapShape): number {
  if (!/^[\w.]{0,15}$/.test(name)) return -Errno.EINVAL;
  const options = new NativeBuffer(56); // struct bpf_map_create_opts
  options.bytes.fill(0);
  options.bytes.writeBigUInt64LE(56n, 0);
  options.bytes.writeUInt32LE(flags, 28);
  return mapCreate()(type, name, keyBytes, valueBytes, maxEntries, options.address);
}

/** Does not own the descriptor. */
export class BpfMap {
  readonly #fd: number;
  readonly #key: NativeBuffer;
  readonly #value: NativeBuffer;
  readonly #nextKey: NativeBuffer;
  readonly #lookup = lookupElem();
  readonly #update = updateElem();
  readonly #delete = deleteElem();
  readonly #next = getNextKey();

  /**
   * `valueBytes` of a per-CPU map are those of one CPU rounded up to 8, times the possible CPUs. Throws when `fd` is
   * no map or one of other sizes: the kernel would read and write as many bytes as its own sizes say.
   */
  constructor(fd: number, keyBytes: number, valueBytes: number) {
    const info = mapInfo(fd);
    if (typeof info === 'number') throw new Error(`descriptor ${fd} is no BPF map (errno ${-info})`);
    const expected = valueBytesForUser(info.type, info.valueBytes);
    if (info.keyBytes !== keyBytes || expected !== valueBytes)
      throw new Error(
        `BPF map ${info.name} has keys of ${info.keyBytes} and values of ${expected} bytes, not ${keyBytes} and ${valueBytes}`,
      );
    this.#fd = fd;
    this.#key = new NativeBuffer(keyBytes);
    this.#value = new NativeBuffer(valueBytes);
    this.#nextKey = new NativeBuffer(keyBytes);
  }

  /** Copies the value into `into`: 0, -ENOENT without one, -EINVAL when a size is not the map's. */
  lookup(key: Uint8Array, into: Uint8Array): number {
    if (into.length !== this.#value.length || !this.#take(key)) return -Errno.EINVAL;
    const result = this.#lookup(this.#fd, this.#key.address, this.#value.address);
    if (result >= 0) into.set(this.#value.bytes);
    return result;
  }

  /** 0, -E2BIG when the map is full, -EEXIST or -ENOENT as the `UpdateFlag` says, -EINVAL as `lookup`. */
  update(key: Uint8Array, value: Uint8Array, flags = 0): number {
    if (value.length !== this.#value.length || !this.#take(key)) return -Errno.EINVAL;
    this.#value.bytes.set(value);
    return this.#update(this.#fd, this.#key.address, this.#value.address, flags);
  }

  /** 0, or -ENOENT without such a key. */
  delete(key: Uint8Array): number {
    if (!this.#take(key)) return -Errno.EINVAL;
    return this.#delete(this.#fd, this.#key.address);
  }

  /** Copies the key after `key` into `into`, the first for null: 0, or -ENOENT at the end. */
  nextKey(key: Uint8Array | null, into: Uint8Array): number {
    if (into.length !== this.#nextKey.length || (key !== null && !this.#take(key))) return -Errno.EINVAL;
    const result = this.#next(this.#fd, key === null ? 0 : this.#key.address, this.#nextKey.address);
    if (result >= 0) into.set(this.#nextKey.bytes);
    return result;
  }

  #take(key: Uint8Array): boolean {
    if (key.length !== this.#key.length) return false;
    this.#key.bytes.set(key);
    return true;
  }
}

/** What one system call moves: for per-CPU maps the values of all CPUs, each rounded up. */
function valueBytesForUser(type: number, valueBytes: number): number {
  const isPerCpu = type === MapType.perCpuHash || type === MapType.perCpuArray || type === MapType.lruPerCpuHash;
  return isPerCpu ? Math.ceil(valueBytes / 8) * 8 * possibleCpus()() : valueBytes;
}

const mapCreate = declareLibbpf('int', 'bpf_map_create', ['int', 'str', 'uint', 'uint', 'uint', 'uint64_t']);
const lookupElem = declareLibbpf('int', 'bpf_map_lookup_elem', ['int', 'uint64_t', 'uint64_t']);
const updateElem = declareLibbpf('int', 'bpf_map_update_elem', ['int', 'uint64_t', 'uint64_t', 'uint64_t']);
const deleteElem = declareLibbpf('int', 'bpf_map_delete_elem', ['int', 'uint64_t']);
const getNextKey = declareLibbpf('int', 'bpf_map_get_next_key', ['int', 'uint64_t', 'uint64_t']);
const possibleCpus = declareLibbpf('int', 'libbpf_num_possible_cpus', []);
