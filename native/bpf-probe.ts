// What this kernel can do, found by trying (libbpf_probe_*): versions tell nothing, since distributions move features back.
// Without the capabilities to load programs everything is missing.

import { declareLibbpf } from './libbpf.ts';

/** Whether programs of this type can be loaded (`ProgramType`). */
export function probeProgramType(type: number): boolean {
  return probeType()(type, 0) === 1;
}

/** Whether maps of this type can be made (`MapType`). */
export function probeMapType(type: number): boolean {
  return probeMap()(type, 0) === 1;
}

/** Whether programs of a type may call a helper, by its number in enum bpf_func_id. */
export function probeHelper(programType: number, helper: number): boolean {
  // libbpf takes every refusal that does not name the helper for a yes, those for lack of capabilities too.
  return probeProgramType(programType) && probeFunction()(programType, helper, 0) === 1;
}

const probeType = declareLibbpf('int', 'libbpf_probe_bpf_prog_type', ['int', 'uint64_t']);
const probeMap = declareLibbpf('int', 'libbpf_probe_bpf_map_type', ['int', 'uint64_t']);
const probeFunction = declareLibbpf('int', 'libbpf_probe_bpf_helper', ['int', 'int', 'uint64_t']);
