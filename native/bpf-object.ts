// One BPF object file (ELF) from its bytes to loaded programs and maps. libbpf owns what is in it: descriptors that are
// asked for belong to the object and are gone with it; duplicate, pin or link what is to stay.

import { mapInfo } from './bpf-info.ts';
import { Errno } from './errno.ts';
import { ForeignThread } from './foreign-thread.ts';
import { declareLibbpf, libbpfAddress, libbpfProblem } from './libbpf.ts';
import { gatherWarnings } from './libbpf-warnings.ts';
import { declare, failure } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

export interface BpfProgram {
  readonly name: string;
  /** The ELF section, such as `cgroup/connect4`: it decides type and attach type. */
  readonly section: string;
}

export interface BpfMapShape {
  /** As libbpf has it: global data are maps too, named `<start of the object's name>.rodata`, `.data`, `.bss`. */
  readonly name: string;
  /** One of `MapType`. */
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

export interface BpfLoadOutcome {
  /** 0 when everything is loaded; else positive. */
  readonly errno: number;
  /** What the verifier said, each program's part headed by its name; empty when it was not asked. */
  readonly verifierLog: string;
  /** What else libbpf had to say, such as which map could not be made, a sentence each. */
  readonly warnings: readonly string[];
}

export class BpfObject {
  readonly programs: readonly BpfProgram[];
  readonly maps: readonly BpfMapShape[];
  readonly #programPointers = new Map<string, number>();
  readonly #mapPointers = new Map<string, number>();
  #pointer: number;
  #thread: ForeignThread | undefined;

  private constructor(pointer: number) {
    this.#pointer = pointer;
    for (let program = nextProgram()(pointer, 0); program !== 0; program = nextProgram()(pointer, program))
      this.#programPointers.set(text(programName, program), program);
    for (let map = nextMap()(pointer, 0); map !== 0; map = nextMap()(pointer, map))
      this.#mapPointers.set(text(mapName, map), map);
    this.programs = [...this.#programPointers].map(([name, program]) => ({
      name,
      section: text(sectionName, program),
    }));
    this.maps = [...this.#mapPointers].map(([name, map]) => ({
      name,
      type: mapType()(map),
      keyBytes: mapKeySize()(map),
      valueBytes: mapValueSize()(map),
      maxEntries: mapMaxEntries()(map),
    }));
  }

  /**
   * Reads an ELF file; nothing is in the kernel yet. `name` shows in the names of its global data. A negated errno when
   * the bytes are no BPF object (4001, libbpf's own number for its format), -ENOSYS without libbpf.
   */
  static open(bytes: Uint8Array, name: string): BpfObject | number {
    if (libbpfProblem() !== undefined) return -Errno.ENOSYS;
    if (bytes.length === 0 || name.includes('\0')) return -Errno.EINVAL;
    const file = copyOf(bytes);
    const nameText = copyOf(Buffer.from(`${name}\0`));
    const options = new NativeBuffer(16); // struct bpf_object_open_opts, as far as object_name
    options.bytes.writeBigUInt64LE(16n, 0);
    options.bytes.writeBigUInt64LE(BigInt(nameText.address), 8);
    const pointer = openMem()(file.address, file.length, options.address);
    return pointer === 0 ? failure() : new BpfObject(pointer);
  }

  /** Whether `load` loads the program: off for what the kernel lacks. Everything is on at first. */
  setAutoload(program: string, on: boolean): number {
    const pointer = this.#programPointers.get(program);
    return pointer === undefined ? -Errno.ENOENT : setAutoload()(pointer, on);
  }

  /** Sets global data before `load`; `bytes` are the whole section (`initialValue`). -EINVAL when they are not as many. */
  setInitialValue(map: string, bytes: Uint8Array): number {
    const pointer = this.#mapBySuffix(map);
    if (pointer === undefined) return -Errno.ENOENT;
    const copy = copyOf(bytes);
    return setInitialValue()(pointer, copy.address, copy.length);
  }

  /** A copy of global data as `load` will write them; a negated errno for a map that holds none. */
  initialValue(map: string): Uint8Array | number {
    const pointer = this.#mapBySuffix(map);
    if (pointer === undefined) return -Errno.ENOENT;
    const size = new NativeBuffer(8);
    const address = initialValue()(pointer, size.address);
    if (address === 0) return -Errno.EINVAL;
    const copy = new NativeBuffer(Number(size.bytes.readBigUInt64LE()));
    sysMemcpy(copy.address, address, copy.length);
    return copy.bytes;
  }

  /** Before `load`. */
  setMaxEntries(map: string, entries: number): number {
    const pointer = this.#mapBySuffix(map);
    return pointer === undefined ? -Errno.ENOENT : setMaxEntries()(pointer, entries);
  }

  /** Lets `load` take an existing map instead of making one; the object keeps a duplicate of `fd`. */
  reuseMap(map: string, fd: number): number {
    const pointer = this.#mapBySuffix(map);
    if (pointer === undefined) return -Errno.ENOENT;
    const info = mapInfo(fd);
    return typeof info === 'number' ? info : reuseFd()(pointer, fd);
  }

  /**
   * Begins `loadQuietly` on a thread of its own. Until that or `close` is called, which wait for it, nothing else may be
   * asked of this object; of others it may, since libbpf shares nothing between them but what it found the kernel to know.
   */
  beginLoading(): void {
    if (this.#pointer !== 0) this.#thread ??= ForeignThread.begin(libbpfAddress('bpf_object__load'), this.#pointer);
  }

  /** As `load`, where nobody asks what went wrong: 0 or a positive errno. */
  loadQuietly(): number {
    if (this.#pointer === 0) return Errno.EBADF;
    const result = this.#thread === undefined ? loadObject()(this.#pointer) : this.#thread.end();
    this.#thread = undefined;
    return result < 0 ? -result : 0;
  }

  /** Makes the maps, relocates and loads the programs: once, whatever comes of it. */
  load(): BpfLoadOutcome {
    if (this.#pointer === 0) return { errno: Errno.EBADF, verifierLog: '', warnings: [] };
    const logs = new Map([...this.#programPointers].map(([name, program]) => [name, this.#logOf(program)]));
    const warnings: string[] = [];
    const result = gatherWarnings(warnings, () => loadObject()(this.#pointer));
    const verifierLog = [...logs].map(([name, log]) => headed(name, textOf(log))).join('');
    for (const program of this.#programPointers.values()) setLogBuffer()(program, 0, 0);
    return { errno: result < 0 ? -result : 0, verifierLog, warnings };
  }

  /** The descriptor of a loaded program, the object's own; -ENOENT for one that is not there or not loaded. */
  programFd(name: string): number {
    const pointer = this.#programPointers.get(name);
    return pointer === undefined ? -Errno.ENOENT : programFd()(pointer);
  }

  /** The descriptor of a map, the object's own; -ENOENT for one that is not there or not made yet. */
  mapFd(name: string): number {
    const pointer = this.#mapBySuffix(name);
    if (pointer === undefined) return -Errno.ENOENT;
    const fd = mapFd()(pointer);
    return fd < 0 ? -Errno.ENOENT : fd;
  }

  /** Frees the object and closes its descriptors. What is attached by link or pinned stays. */
  close(): void {
    if (this.#pointer === 0) return;
    this.#thread?.end();
    closeObject()(this.#pointer);
    this.#pointer = 0;
    this.#programPointers.clear();
    this.#mapPointers.clear();
  }

  /** `.rodata` finds `outbound.rodata`, whose name libbpf makes from the object's. */
  #mapBySuffix(name: string): number | undefined {
    if (!name.startsWith('.')) return this.#mapPointers.get(name);
    for (const [full, pointer] of this.#mapPointers) if (full.endsWith(name)) return pointer;
    return undefined;
  }

  /** libbpf asks the verifier for a log only when it refused the program, so an accepted one costs no log. */
  #logOf(program: number): NativeBuffer {
    const log = new NativeBuffer(LOG_BYTES);
    log.bytes[0] = 0;
    setLogBuffer()(program, log.address, log.length);
    return log;
  }
}

// The verifier of kernels before 6.4 fails when the log does not fit, and the reason stands at its end. Pages that
// are not written are not there.
const LOG_BYTES = 1 << 20;

function headed(name: string, log: string): string {
  return log === '' ? '' : `${name}:\n${log}${log.endsWith('\n') ? '' : '\n'}`;
}

function textOf(log: NativeBuffer): string {
  const end = log.bytes.indexOf(0);
  return log.bytes.toString('utf8', 0, end === -1 ? log.length : end);
}

function copyOf(bytes: Uint8Array): NativeBuffer {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}

function text(call: () => unknown, pointer: number): string {
  return (call() as (pointer: number) => string)(pointer);
}

const openMem = declareLibbpf('uint64_t', 'bpf_object__open_mem', ['uint64_t', 'size_t', 'uint64_t']);
const loadObject = declareLibbpf('int', 'bpf_object__load', ['uint64_t']);
const closeObject = declareLibbpf('void', 'bpf_object__close', ['uint64_t']);
const nextProgram = declareLibbpf('uint64_t', 'bpf_object__next_program', ['uint64_t', 'uint64_t']);
const nextMap = declareLibbpf('uint64_t', 'bpf_object__next_map', ['uint64_t', 'uint64_t']);
const programName = declareLibbpf('str', 'bpf_program__name', ['uint64_t']);
const sectionName = declareLibbpf('str', 'bpf_program__section_name', ['uint64_t']);
const setAutoload = declareLibbpf('int', 'bpf_program__set_autoload', ['uint64_t', 'bool']);
const setLogBuffer = declareLibbpf('int', 'bpf_program__set_log_buf', ['uint64_t', 'uint64_t', 'size_t']);
const programFd = declareLibbpf('int', 'bpf_program__fd', ['uint64_t']);
const mapName = declareLibbpf('str', 'bpf_map__name', ['uint64_t']);
const mapType = declareLibbpf('int', 'bpf_map__type', ['uint64_t']);
const mapKeySize = declareLibbpf('uint', 'bpf_map__key_size', ['uint64_t']);
const mapValueSize = declareLibbpf('uint', 'bpf_map__value_size', ['uint64_t']);
const mapMaxEntries = declareLibbpf('uint', 'bpf_map__max_entries', ['uint64_t']);
const setMaxEntries = declareLibbpf('int', 'bpf_map__set_max_entries', ['uint64_t', 'uint']);
const setInitialValue = declareLibbpf('int', 'bpf_map__set_initial_value', ['uint64_t', 'uint64_t', 'size_t']);
const initialValue = declareLibbpf('uint64_t', 'bpf_map__initial_value', ['uint64_t', 'uint64_t']);
const reuseFd = declareLibbpf('int', 'bpf_map__reuse_fd', ['uint64_t', 'int']);
const mapFd = declareLibbpf('int', 'bpf_map__fd', ['uint64_t']);
const sysMemcpy = declare('uint64_t', 'memcpy', ['uint64_t', 'uint64_t', 'size_t']) as (
  to: number,
  from: number,
  length: number,
) => number;
