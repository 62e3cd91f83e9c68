// Programs by hand: loading bare instructions (BPF_PROG_LOAD), which is how one asks what a kernel can do, and running what
// is loaded (BPF_PROG_TEST_RUN) for the types that the kernel can run so: sk_lookup and those that see packets, not those
// of cgroups and sockets.

import { Errno } from './errno.ts';
import { declareLibbpf } from './libbpf.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Types of programs (enum bpf_prog_type), those that we use. */
export const ProgramType = {
  schedCls: 3,
  cgroupSkb: 8,
  sockOps: 13,
  skSkb: 14,
  skMsg: 16,
  cgroupSockAddr: 18,
  cgroupSockopt: 25,
  skLookup: 30,
} as const;

export interface Instructions {
  /** One of `ProgramType`. */
  readonly type: number;
  /** One of `AttachType`; 0 for types that have one place only. */
  readonly attachType: number;
  /** struct bpf_insn, 8 bytes each. */
  readonly bytes: Uint8Array;
}

/**
 * Loads a program that was written by hand, to see whether the kernel takes it: its descriptor, or a negated errno, which
 * is -EINVAL for types and places that the kernel does not know and for what its verifier refuses.
 */
export function loadInstructions({ type, attachType, bytes }: Instructions): number {
  const instructions = copyOf(bytes);
  const options = new NativeBuffer(16); // struct bpf_prog_load_opts, as far as expected_attach_type
  options.bytes.fill(0);
  options.bytes.writeBigUInt64LE(16n, 0);
  options.bytes.writeUInt32LE(attachType, 12);
  const count = Math.floor(bytes.length / INSTRUCTION_BYTES);
  return progLoad()(type, 'or_probe', 'Dual BSD/GPL', instructions.address, count, options.address);
}

export interface TestRunInput {
  /** A packet; types that see none refuse it. */
  readonly dataIn?: Uint8Array;
  /** The type's context, such as struct bpf_sk_lookup. */
  readonly contextIn?: Uint8Array;
  readonly repeat: number;
}

export interface TestRunOutcome {
  /** What the program returned the last time. */
  readonly result: number;
  /** The mean of one run, whole. */
  readonly durationNs: number;
  /** What it made of `contextIn`; empty without. */
  readonly context: Uint8Array;
}

/** A negated errno when the program cannot be run so: -ENOTSUPP for its type, -EINVAL for the input. */
export function testRun(programFd: number, { dataIn, contextIn, repeat }: TestRunInput): TestRunOutcome | number {
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > 0x7fff_ffff) return -Errno.EINVAL;
  const data = copyOf(dataIn);
  const context = copyOf(contextIn);
  const contextOut = copyOf(contextIn);
  const options = new NativeBuffer(OPTIONS_BYTES);
  options.bytes.fill(0);
  options.bytes.writeBigUInt64LE(BigInt(OPTIONS_BYTES), 0);
  options.bytes.writeBigUInt64LE(addressOf(data), 8);
  options.bytes.writeUInt32LE(data.length, 24);
  options.bytes.writeBigUInt64LE(addressOf(context), 32);
  options.bytes.writeBigUInt64LE(addressOf(contextOut), 40);
  options.bytes.writeUInt32LE(context.length, 48);
  options.bytes.writeUInt32LE(contextOut.length, 52);
  options.bytes.writeInt32LE(repeat, 60);
  const result = progTestRun()(programFd, options.address);
  if (result < 0) return result;
  return {
    result: options.bytes.readUInt32LE(56),
    durationNs: options.bytes.readUInt32LE(64),
    context: contextOut.bytes,
  };
}

function copyOf(bytes: Uint8Array | undefined): NativeBuffer {
  const buffer = new NativeBuffer(bytes?.length ?? 0);
  if (bytes !== undefined) buffer.bytes.set(bytes);
  return buffer;
}

function addressOf(buffer: NativeBuffer): bigint {
  return buffer.length === 0 ? 0n : BigInt(buffer.address);
}

const INSTRUCTION_BYTES = 8;
/** struct bpf_test_run_opts. */
const OPTIONS_BYTES = 80;

const progLoad = declareLibbpf('int', 'bpf_prog_load', ['uint', 'str', 'str', 'uint64_t', 'size_t', 'uint64_t']);
const progTestRun = declareLibbpf('int', 'bpf_prog_test_run_opts', ['int', 'uint64_t']);
