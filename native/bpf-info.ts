// What the kernel tells of programs, links and maps (BPF_OBJ_GET_INFO_BY_FD), and the way from their ids to descriptors.
// Kernels that know fewer fields leave them 0, those that know more cut them off.

import { readlinkSync } from 'node:fs';
import { Errno } from './errno.ts';
import { declareLibbpf } from './libbpf.ts';
import { NativeBuffer } from './native-buffer.ts';

export interface ProgramInfo {
  readonly id: number;
  /** At most 15 characters: the kernel cuts longer ones. */
  readonly name: string;
  /** One of `ProgramType`. */
  readonly type: number;
  /** A hash of its instructions, 16 hexadecimal digits. */
  readonly tag: string;
  readonly mapIds: readonly number[];
  /** Since the machine started. */
  readonly loadTimeNs: number;
  readonly createdByUid: number;
  /** 0, as is `runTimeNs`, unless the machine counts them (sysctl kernel.bpf_stats_enabled). */
  readonly runCount: number;
  readonly runTimeNs: number;
  readonly xlatedBytes: number;
  readonly jitedBytes: number;
}

export interface LinkInfo {
  readonly id: number;
  /** One of `LinkType`. */
  readonly type: number;
  readonly programId: number;
  /** Undefined for types of links that we do not make. */
  readonly attachType?: number;
  /** What it is attached to, by its type. A cgroup's id is the inode number of its folder. 0 once detached. */
  readonly cgroupId?: bigint;
  readonly netnsInode?: number;
  readonly mapId?: number;
}

export interface MapInfo {
  readonly id: number;
  readonly name: string;
  /** One of `MapType`. */
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
  readonly flags: number;
}

export const LinkType = { cgroup: 3, netns: 5, sockmap: 14 } as const;

/** -EINVAL when `fd` is no program, or another negated errno. */
export function programInfo(fd: number): ProgramInfo | number {
  info.bytes.fill(0);
  info.bytes.writeUInt32LE(MAX_MAPS, 52);
  info.bytes.writeBigUInt64LE(BigInt(mapIds.address), 56);
  const result = read(fd, 'program');
  if (result < 0) return result;
  const mapCount = Math.min(info.bytes.readUInt32LE(52), MAX_MAPS);
  return {
    id: info.bytes.readUInt32LE(4),
    name: nameAt(64),
    type: info.bytes.readUInt32LE(0),
    tag: info.bytes.toString('hex', 8, 16),
    mapIds: Array.from({ length: mapCount }, (_, index) => mapIds.bytes.readUInt32LE(index * 4)),
    loadTimeNs: longAt(40),
    createdByUid: info.bytes.readUInt32LE(48),
    runCount: longAt(200),
    runTimeNs: longAt(192),
    xlatedBytes: info.bytes.readUInt32LE(20),
    jitedBytes: info.bytes.readUInt32LE(16),
  };
}

/** -EINVAL when `fd` is no link, or another negated errno. */
export function linkInfo(fd: number): LinkInfo | number {
  info.bytes.fill(0);
  const result = read(fd, 'link');
  if (result < 0) return result;
  const type = info.bytes.readUInt32LE(0);
  const link = { id: info.bytes.readUInt32LE(4), type, programId: info.bytes.readUInt32LE(8) };
  if (type === LinkType.cgroup)
    return { ...link, cgroupId: info.bytes.readBigUInt64LE(16), attachType: info.bytes.readUInt32LE(24) };
  const [target, attachType] = [info.bytes.readUInt32LE(16), info.bytes.readUInt32LE(20)];
  if (type === LinkType.netns) return { ...link, netnsInode: target, attachType };
  if (type === LinkType.sockmap) return { ...link, mapId: target, attachType };
  return link;
}

/** -EINVAL when `fd` is no map, or another negated errno. */
export function mapInfo(fd: number): MapInfo | number {
  info.bytes.fill(0);
  const result = read(fd, 'map');
  if (result < 0) return result;
  return {
    id: info.bytes.readUInt32LE(4),
    name: nameAt(24),
    type: info.bytes.readUInt32LE(0),
    keyBytes: info.bytes.readUInt32LE(8),
    valueBytes: info.bytes.readUInt32LE(12),
    maxEntries: info.bytes.readUInt32LE(16),
    flags: info.bytes.readUInt32LE(20),
  };
}

/** The smallest id of a program above `id` (0 to begin); -ENOENT when there is none. Needs CAP_SYS_ADMIN. */
export function nextProgramId(id: number): number {
  return next(progGetNextId, id);
}

/** As `nextProgramId`. */
export function nextLinkId(id: number): number {
  return next(linkGetNextId, id);
}

/** A new descriptor, closed on exec; -ENOENT when it is gone. Needs CAP_SYS_ADMIN. */
export function programById(id: number): number {
  return progGetFdById()(id);
}

/** As `programById`. */
export function linkById(id: number): number {
  return linkGetFdById()(id);
}

/** As `programById`. */
export function mapById(id: number): number {
  return mapGetFdById()(id);
}

/**
 * The kernel fills in whichever structure belongs to the descriptor, so that a map's would be read as a program's: what it
 * is, its name in /proc tells.
 */
function read(fd: number, kind: keyof typeof KINDS): number {
  let target: string;
  try {
    target = readlinkSync(`/proc/thread-self/fd/${fd}`);
  } catch {
    return -Errno.EBADF;
  }
  // A link that was just made is called bpf_link, one that was opened by path or id bpf-link.
  if (target.replace('_link', '-link') !== KINDS[kind].target) return -Errno.EINVAL;
  lengthScratch.bytes.writeUInt32LE(KINDS[kind].infoBytes);
  return getInfo()(fd, info.address, lengthScratch.address);
}

function next(call: typeof progGetNextId, id: number): number {
  const result = call()(id, lengthScratch.address);
  return result < 0 ? result : lengthScratch.bytes.readUInt32LE();
}

function nameAt(offset: number): string {
  const end = info.bytes.indexOf(0, offset);
  return info.bytes.toString('latin1', offset, Math.min(end, offset + 16));
}

function longAt(offset: number): number {
  return Number(info.bytes.readBigUInt64LE(offset));
}

/** Sizes of the structures as of Linux 5.16, which has every field that is read here. */
const KINDS = {
  program: { target: 'anon_inode:bpf-prog', infoBytes: 232 },
  map: { target: 'anon_inode:bpf-map', infoBytes: 88 },
  link: { target: 'anon_inode:bpf-link', infoBytes: 48 },
} as const;
const info = new NativeBuffer(KINDS.program.infoBytes);
// The verifier lets a program use 64, and few are bound to one besides.
const MAX_MAPS = 128;
const mapIds = new NativeBuffer(MAX_MAPS * 4);
const lengthScratch = new NativeBuffer(4);

const getInfo = declareLibbpf('int', 'bpf_obj_get_info_by_fd', ['int', 'uint64_t', 'uint64_t']);
const progGetNextId = declareLibbpf('int', 'bpf_prog_get_next_id', ['uint', 'uint64_t']);
const linkGetNextId = declareLibbpf('int', 'bpf_link_get_next_id', ['uint', 'uint64_t']);
const progGetFdById = declareLibbpf('int', 'bpf_prog_get_fd_by_id', ['uint']);
const linkGetFdById = declareLibbpf('int', 'bpf_link_get_fd_by_id', ['uint']);
const mapGetFdById = declareLibbpf('int', 'bpf_map_get_fd_by_id', ['uint']);
