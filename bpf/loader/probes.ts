// What this machine can do, found by trying it: programs of two instructions are loaded and maps of one entry made, each
// when it is first asked about. Whoever needs to know takes `Probes`, so that a test can say no to anything.

import { accessSync } from 'node:fs';
import { AttachType, createLink } from '../../native/bpf-link.ts';
import { createMap, MapFlag, type MapShape, MapType } from '../../native/bpf-map.ts';
import { probeHelper } from '../../native/bpf-probe.ts';
import { type Instructions, loadInstructions, ProgramType } from '../../native/bpf-program.ts';
import { effectiveCapabilities } from '../../native/capabilities.ts';
import { describeErrno } from '../../native/errno.ts';
import { libbpfProblem } from '../../native/libbpf.ts';
import { close } from '../../native/socket.ts';
import { findBpffs } from './bpffs.ts';
import { FEATURES, type Feature, type FeatureName, type Use } from './features.ts';
import { isFailure } from './load-failure.ts';
import { mountsOfType } from './mounts.ts';

/** `unknown`: it cannot be asked, for lack of libbpf or of capabilities. */
export type Finding =
  | { readonly state: 'there'; readonly detail?: string }
  | { readonly state: 'missing' | 'unknown'; readonly detail: string };

export interface Probes {
  find(feature: FeatureName): Finding;
}

/** This machine and this process. What was found once stays so for the life of the object. */
export function kernelProbes(): Probes {
  const found = new Map<FeatureName, Finding>();
  const find = (feature: FeatureName): Finding => {
    const known = found.get(feature) ?? (needsKernel(feature) ? cannotAsk(find) : undefined) ?? PROBES[feature]();
    found.set(feature, known);
    return known;
  };
  return { find };
}

/** Asks the machine, and believes that the kernel can: for who tries, and asks `probes` only when that failed. */
export function hopefulProbes(probes: Probes): Probes {
  return { find: (feature) => (needsKernel(feature) ? there : probes.find(feature)) };
}

/** What `use` needs and the machine does not have, in the order of `FEATURES`. */
export function missingFor(use: Use, probes: Probes): readonly Feature[] {
  return FEATURES.filter(({ name, neededFor }) => neededFor.includes(use) && probes.find(name).state !== 'there');
}

/** Programs of ours that this kernel cannot run and that can be left out. */
export function programsToLeaveOut(probes: Probes): readonly string[] {
  const optional = FEATURES.filter(({ programs }) => programs !== undefined);
  const missing = optional.filter(({ name }) => probes.find(name).state !== 'there');
  return [...new Set(missing.flatMap(({ programs }) => programs ?? []))];
}

/** struct bpf_insn: `r0 = 1; exit`, which every type that we use may return. */
const RETURN_1 = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
/** `r0 = ctx->ingress_ifindex; r0 = 1; exit`, for struct bpf_sk_lookup. */
const READ_INGRESS = Uint8Array.of(0x61, 0x10, 64, 0, 0, 0, 0, 0, ...RETURN_1);

/** enum bpf_func_id. */
const Helper = { skLookupTcp: 84, skStorageGet: 107, getNetnsCookie: 122, getCurrentAncestorCgroupId: 123 } as const;

/** A power of two pages. */
const RING_BYTES = 4096;

const BTF = '/sys/kernel/btf/vmlinux';

const PROBES: Readonly<Record<FeatureName, () => Finding>> = {
  libbpf: () => unlessProblem(libbpfProblem()),
  capabilities: () => unlessProblem(capabilityProblem()),
  cgroup2: () => {
    const mount = mountsOfType('cgroup2')[0];
    return mount === undefined ? missing('cgroup v2 is not mounted') : { state: 'there', detail: `at ${mount.path}` };
  },
  bpffs: () => {
    const found = findBpffs();
    return isFailure(found) ? missing(found.reason) : { state: 'there', detail: `at ${found.path}` };
  },
  connect: () => programAt(ProgramType.cgroupSockAddr, AttachType.inet4Connect),
  sockops: () => programAt(ProgramType.sockOps, AttachType.sockOps),
  getsockopt: () => programAt(ProgramType.cgroupSockopt, AttachType.getsockopt),
  getpeername: () => programAt(ProgramType.cgroupSockAddr, AttachType.inet4Getpeername),
  sendmsg: () => programAt(ProgramType.cgroupSockAddr, AttachType.udp4Sendmsg),
  recvmsg: () => programAt(ProgramType.cgroupSockAddr, AttachType.udp4Recvmsg),
  'sk-storage': () => helper(ProgramType.cgroupSockAddr, Helper.skStorageGet),
  'socket-lookup': () => helper(ProgramType.cgroupSockAddr, Helper.skLookupTcp),
  'netns-cookie': () => helper(ProgramType.cgroupSockAddr, Helper.getNetnsCookie),
  'ancestor-cgroup': () => helper(ProgramType.cgroupSockAddr, Helper.getCurrentAncestorCgroupId),
  'lru-hash': () => map({ type: MapType.lruHash, keyBytes: 4, valueBytes: 8 }),
  'lpm-trie': () => map({ type: MapType.lpmTrie, keyBytes: 8, valueBytes: 8, flags: MapFlag.noPreallocation }),
  'mapped-array': () => map({ type: MapType.array, keyBytes: 4, valueBytes: 8, flags: MapFlag.memoryMappable }),
  sockmap: () => map({ type: MapType.sockMap, keyBytes: 4, valueBytes: 8 }),
  'sk-lookup': () => programAt(ProgramType.skLookup, AttachType.skLookup),
  'ingress-ifindex': () =>
    program({ type: ProgramType.skLookup, attachType: AttachType.skLookup, bytes: READ_INGRESS }),
  sockhash: () => map({ type: MapType.sockHash, keyBytes: 4, valueBytes: 8 }),
  'sk-msg': () => programAt(ProgramType.skMsg, AttachType.skMsgVerdict),
  'sockmap-link': sockMapLink,
  'ring-buffer': () => map({ type: MapType.ringBuffer, keyBytes: 0, valueBytes: 0, maxEntries: RING_BYTES }),
  'kernel-btf': () => {
    try {
      accessSync(BTF);
      return { state: 'there', detail: BTF };
    } catch (error) {
      return missing((error as Error).message);
    }
  },
};

const ASKED_WITHOUT_KERNEL: readonly FeatureName[] = ['libbpf', 'capabilities', 'cgroup2', 'bpffs', 'kernel-btf'];

function needsKernel(feature: FeatureName): boolean {
  return !ASKED_WITHOUT_KERNEL.includes(feature);
}

function cannotAsk(find: Probes['find']): Finding | undefined {
  for (const needed of ['libbpf', 'capabilities'] as const) {
    if (find(needed).state !== 'there') return { state: 'unknown', detail: `cannot be asked without ${needed}` };
  }
  return undefined;
}

const there: Finding = { state: 'there' };

function missing(detail: string): Finding {
  return { state: 'missing', detail };
}

function unlessProblem(problem: string | undefined): Finding {
  return problem === undefined ? there : missing(problem);
}

function capabilityProblem(): string | undefined {
  const held = effectiveCapabilities();
  const lacking = [];
  if (!held.has('CAP_BPF') && !held.has('CAP_SYS_ADMIN')) lacking.push('CAP_BPF');
  if (!held.has('CAP_NET_ADMIN')) lacking.push('CAP_NET_ADMIN');
  return lacking.length === 0 ? undefined : `this process has no ${lacking.join(' and no ')}`;
}

function programAt(type: number, attachType: number): Finding {
  return program({ type, attachType, bytes: RETURN_1 });
}

function program(instructions: Instructions): Finding {
  const fd = loadInstructions(instructions);
  if (fd < 0) return refusal(fd);
  close(fd);
  return there;
}

function helper(programType: number, number: number): Finding {
  return probeHelper(programType, number) ? there : missing('the kernel does not know the function');
}

function map(shape: Pick<MapShape, 'type' | 'keyBytes' | 'valueBytes'> & Partial<MapShape>): Finding {
  const fd = createMap({ maxEntries: 1, flags: 0, name: 'or_probe', ...shape });
  if (fd < 0) return refusal(fd);
  close(fd);
  return there;
}

/** Nothing but a try tells: the map, a program and the link are made and given up again. */
function sockMapLink(): Finding {
  const sockMap = createMap({
    type: MapType.sockMap,
    keyBytes: 4,
    valueBytes: 8,
    maxEntries: 1,
    flags: 0,
    name: 'or_probe',
  });
  if (sockMap < 0) return refusal(sockMap);
  const program = loadInstructions({ type: ProgramType.skMsg, attachType: AttachType.skMsgVerdict, bytes: RETURN_1 });
  const link = program < 0 ? program : createLink(program, sockMap, AttachType.skMsgVerdict);
  for (const fd of [link, program, sockMap]) if (fd >= 0) close(fd);
  return link < 0 ? refusal(link) : there;
}

function refusal(errno: number): Finding {
  return missing(`the kernel refuses it: ${describeErrno(-errno)}`);
}
