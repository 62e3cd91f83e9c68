// What this kernel can do, found by trying: versions tell nothing, since distributions move features back. Without the
// capabilities to load programs everything is missing.

import { AttachType } from './bpf-link.ts';
import { ProgramType } from './bpf-program.ts';
import { declareLibbpf } from './libbpf.ts';
import { NativeBuffer } from './native-buffer.ts';
import { close } from './socket.ts';

/** Whether programs of this type can be loaded (`ProgramType`). */
export function probeProgramType(type: number): boolean {
  return probeType()(type, 0) === 1;
}

/** Whether maps of this type can be made (`MapType`). */
export function probeMapType(type: number): boolean {
  return probeMap()(type, 0) === 1;
}

/**
 * Whether programs of a type may call a helper, by its number in enum bpf_func_id. libbpf's own probe is not asked: it says
 * yes when it lacks capabilities, and before its version 1.5 to what kernels since 6.10 refuse in other words.
 */
export function probeHelper(programType: number, helper: number): boolean {
  instructions.bytes.writeInt32LE(helper, 4);
  options.bytes.writeUInt32LE(ATTACH_TYPES.get(programType) ?? 0, 12);
  log.bytes[0] = 0;
  const fd = progLoad()(programType, '', 'GPL', instructions.address, INSTRUCTIONS, options.address);
  if (fd >= 0) {
    close(fd);
    return true;
  }
  // The call lacks its arguments, so that a helper that is there is refused for them; one that is not, by name.
  const text = log.bytes.toString('latin1', 0, log.bytes.indexOf(0));
  return text !== '' && !/(invalid|unknown) func |cannot use helper /.test(text);
}

/** Types that are loaded for one place; the helpers that we ask for are the same in the others. */
const ATTACH_TYPES: ReadonlyMap<number, number> = new Map([
  [ProgramType.cgroupSockAddr, AttachType.inet4Connect],
  [ProgramType.cgroupSockopt, AttachType.getsockopt],
  [ProgramType.skLookup, AttachType.skLookup],
]);

/** call; exit. */
const INSTRUCTIONS = 2;
const instructions = new NativeBuffer(INSTRUCTIONS * 8);
instructions.bytes.fill(0);
instructions.bytes[0] = 0x85;
instructions.bytes[8] = 0x95;

const log = new NativeBuffer(4096);

/** struct bpf_prog_load_opts. */
const options = new NativeBuffer(104);
options.bytes.fill(0);
options.bytes.writeBigUInt64LE(BigInt(options.length), 0);
options.bytes.writeUInt32LE(1, 88); // log_level
options.bytes.writeUInt32LE(log.length, 92);
options.bytes.writeBigUInt64LE(BigInt(log.address), 96);

const probeType = declareLibbpf('int', 'libbpf_probe_bpf_prog_type', ['int', 'uint64_t']);
const probeMap = declareLibbpf('int', 'libbpf_probe_bpf_map_type', ['int', 'uint64_t']);
const progLoad = declareLibbpf('int', 'bpf_prog_load', ['int', 'str', 'str', 'uint64_t', 'size_t', 'uint64_t']);
