// Where a link holds its program, for people: the kernel tells a number, which is the inode of a folder of cgroup2 or of a
// network namespace.

import { type Dirent, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LinkInfo, LinkType } from '../../native/bpf-info.ts';
import { mountsOfType } from './mounts.ts';

/** `/sys/fs/cgroup/kubepods/pod1`, `network namespace 4026531840 (this one)`, `map 12`. One object serves one listing. */
export class AttachPlaces {
  #cgroups: ReadonlyMap<bigint, string> | undefined;
  #namespaces: ReadonlyMap<number, string> | undefined;

  text({ type, cgroupId, netnsInode, mapId }: LinkInfo): string {
    if (type === LinkType.cgroup) return this.#cgroupText(cgroupId ?? 0n);
    if (type === LinkType.netns) return this.#namespaceText(netnsInode ?? 0);
    return type === LinkType.sockmap && mapId !== 0 ? `map ${mapId}` : GONE;
  }

  #cgroupText(id: bigint): string {
    if (id === 0n) return GONE;
    this.#cgroups ??= cgroupPaths();
    return this.#cgroups.get(id) ?? `cgroup ${id}, which cannot be seen from here`;
  }

  #namespaceText(inode: number): string {
    if (inode === 0) return GONE;
    this.#namespaces ??= namespaceOwners();
    const owner = this.#namespaces.get(inode);
    return `network namespace ${inode}${owner === undefined ? '' : ` (${owner})`}`;
  }
}

/** The place of a link that is left of something that is gone. */
export const GONE = 'nowhere: what it was attached to is gone';

/** Every cgroup that is mounted here, by the number that the kernel has for it. */
function cgroupPaths(): ReadonlyMap<bigint, string> {
  const found = new Map<bigint, string>();
  const mount = mountsOfType('cgroup2')[0];
  if (mount !== undefined) addFolder(mount.path, found);
  return found;
}

function addFolder(path: string, found: Map<bigint, string>): void {
  let entries: Dirent[];
  try {
    found.set(statSync(path, { bigint: true }).ino, path);
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    // Removed since its parent was read.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const entry of entries) if (entry.isDirectory()) addFolder(join(path, entry.name), found);
}

/** One process of each namespace. */
function namespaceOwners(): ReadonlyMap<number, string> {
  const owners = new Map<number, string>();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const inode = namespaceOf(pid);
    if (inode !== undefined && !owners.has(inode)) owners.set(inode, `of process ${pid}, ${nameOf(pid)}`);
  }
  const own = namespaceOf('self');
  return own === undefined ? owners : owners.set(own, 'this one');
}

/** Undefined for processes that are gone or that we may not look into. */
function namespaceOf(pid: string): number | undefined {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1]);
  } catch (error) {
    return whenHidden(error, undefined);
  }
}

function nameOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch (error) {
    return whenHidden(error, 'which ended');
  }
}

function whenHidden<Answer>(error: unknown, answer: Answer): Answer {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined && ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(code)) return answer;
  throw error;
}
