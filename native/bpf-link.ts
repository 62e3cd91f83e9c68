// Links: what holds a program at the place where it runs (BPF_LINK_CREATE). A link is a descriptor; closing the last one
// detaches, a pin in a bpf file system keeps it.

import { Errno } from './errno.ts';
import { declareLibbpf } from './libbpf.ts';
import { NativeBuffer } from './native-buffer.ts';

/** Places to attach to (enum bpf_attach_type), those that we use. */
export const AttachType = {
  sockOps: 3,
  skSkbStreamVerdict: 5,
  skMsgVerdict: 7,
  inet4Connect: 10,
  inet6Connect: 11,
  udp4Sendmsg: 14,
  udp6Sendmsg: 15,
  udp4Recvmsg: 19,
  udp6Recvmsg: 20,
  getsockopt: 21,
  setsockopt: 22,
  inet4Getpeername: 29,
  inet6Getpeername: 30,
  inet4Getsockname: 31,
  inet6Getsockname: 32,
  skLookup: 36,
  skSkbVerdict: 38,
} as const;

/**
 * Attaches a loaded program to a cgroup, network namespace or sockmap: the descriptor of the link, closed on exec, or a
 * negated errno. Of -EINVAL the reasons are many: the program was loaded for another place, or the kernel knows no links
 * for this one.
 */
export function createLink(programFd: number, targetFd: number, attachType: number): number {
  return linkCreate()(programFd, targetFd, attachType, 0);
}

/** Lets another program run there from now on, without a gap: 0 or a negated errno. */
export function updateLink(linkFd: number, programFd: number): number {
  return linkUpdate()(linkFd, programFd, 0);
}

/** Detaches even if the link is pinned or others hold it. The descriptor stays open. */
export function detachLink(linkFd: number): number {
  return linkDetach()(linkFd);
}

/**
 * Attaches without a link, where the kernel knows none for the place (sockmaps before Linux 6.10), in place of what is
 * there. It stays until it is detached or its target goes, whoever ends.
 */
export function attachProgram(programFd: number, targetFd: number, attachType: number): number {
  return progAttach()(programFd, targetFd, attachType, 0);
}

/** Takes back `attachProgram`: -ENOENT when this program is not there any more. */
export function detachProgram(programFd: number, targetFd: number, attachType: number): number {
  return progDetach()(programFd, targetFd, attachType);
}

/** Gives a program, map or link a path in a bpf file system: -EEXIST when there is one, -EPERM in other file systems. */
export function pin(fd: number, path: string): number {
  return path.includes('\0') ? -Errno.EINVAL : objPin()(fd, path);
}

/** A new descriptor, closed on exec, of what is pinned at `path`. */
export function openPinned(path: string): number {
  return path.includes('\0') ? -Errno.EINVAL : objGet()(path);
}

/** The ids of the programs that are attached at a place, in the order in which they run; or a negated errno. */
export function attachedPrograms(targetFd: number, attachType: number): number[] | number {
  programCount.bytes.writeUInt32LE(MAX_PROGRAMS);
  const { address } = programCount;
  const result = progQuery()(targetFd, attachType, 0, attachFlags.address, programIds.address, address);
  if (result < 0) return result;
  const count = programCount.bytes.readUInt32LE();
  return Array.from({ length: count }, (_, index) => programIds.bytes.readUInt32LE(index * 4));
}

// As many as the kernel lets attach to one place (BPF_CGROUP_MAX_PROGS).
const MAX_PROGRAMS = 64;
const programIds = new NativeBuffer(MAX_PROGRAMS * 4);
const programCount = new NativeBuffer(4);
const attachFlags = new NativeBuffer(4);

const linkCreate = declareLibbpf('int', 'bpf_link_create', ['int', 'int', 'int', 'uint64_t']);
const linkUpdate = declareLibbpf('int', 'bpf_link_update', ['int', 'int', 'uint64_t']);
const linkDetach = declareLibbpf('int', 'bpf_link_detach', ['int']);
const progAttach = declareLibbpf('int', 'bpf_prog_attach', ['int', 'int', 'int', 'uint']);
const progDetach = declareLibbpf('int', 'bpf_prog_detach2', ['int', 'int', 'int']);
const objPin = declareLibbpf('int', 'bpf_obj_pin', ['int', 'str']);
const objGet = declareLibbpf('int', 'bpf_obj_get', ['str']);
const progQuery = declareLibbpf('int', 'bpf_prog_query', ['int', 'int', 'uint', 'uint64_t', 'uint64_t', 'uint64_t']);
