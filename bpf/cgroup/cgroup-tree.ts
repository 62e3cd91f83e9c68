// Paths of /proc/PID/cgroup as folders of the cgroup2 mount. In a container they are two different things: /proc tells
// paths as seen from our own cgroup namespace (`/../../burstable/pod…`, cgroup_namespaces(7)), while the node's tree is
// mounted whole. So whoever reads paths finds itself in that tree once, and reads every path from there.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

export class CgroupTree {
  /** Where the tree is mounted. */
  readonly mountPath: string;
  /** Path in the tree of what /proc calls `/`. */
  readonly #namespaceRoot: string;

  private constructor(mountPath: string, namespaceRoot: string) {
    this.mountPath = mountPath;
    this.#namespaceRoot = namespaceRoot;
  }

  /** The tree at `mountPath`, or why it cannot be used, as a sentence. */
  static open(mountPath: string, processId: number = process.pid): CgroupTree | string {
    const own = cgroup2PathOf(readFileSync(`/proc/${processId}/cgroup`, 'utf8'));
    if (own === undefined) return 'this kernel runs without cgroup2: /proc/self/cgroup has no line of it';
    if (!isCgroup(mountPath)) return `${mountPath} is not a mount of cgroup2: it has no cgroup.procs`;
    const here = pathWith(mountPath, own, processId);
    if (here === undefined) {
      return `${mountPath} does not show the cgroup of this process (${own}): mount the node's whole cgroup2 there`;
    }
    const depth = own.split('/').filter((segment) => segment !== '').length;
    return new CgroupTree(mountPath, posix.join(here, ...Array<string>(depth).fill('..')));
  }

  /** Path from the root of the tree of what /proc/PID/cgroup holds; undefined when it names nothing in the tree. */
  pathOf(procCgroup: string): string | undefined {
    const relative = cgroup2PathOf(procCgroup);
    if (relative === undefined) return undefined;
    const climbs = relative.split('/').filter((segment) => segment === '..').length;
    const rootDepth = this.#namespaceRoot.split('/').filter((segment) => segment !== '').length;
    // What lies outside of the tree would be read as if it lay at its root.
    return climbs > rootDepth ? undefined : posix.join(this.#namespaceRoot, relative);
  }

  /** The first cgroup whose path is one that `isIt` wants. Walks through all of them. */
  find(isIt: (path: string) => boolean): string | undefined {
    return firstBelow(this.mountPath, isIt);
  }

  /** The folder of a path in the tree. */
  folderOf(path: string): string {
    return join(this.mountPath, path);
  }
}

/** The path in the line of cgroup2 (`0::/path`); `(deleted)` behind it is not part of it. */
function cgroup2PathOf(procCgroup: string): string | undefined {
  return /^0::(\/.*?)(?: \(deleted\))?$/m.exec(procCgroup)?.[1];
}

function isCgroup(folder: string): boolean {
  return statSync(join(folder, 'cgroup.procs'), { throwIfNoEntry: false }) !== undefined;
}

/** Path in the tree of the cgroup that holds the process: its own name is tried before the whole tree is searched. */
function pathWith(mountPath: string, ownPath: string, processId: number): string | undefined {
  if (holds(join(mountPath, ownPath), processId)) return ownPath;
  return firstBelow(mountPath, (path) => holds(join(mountPath, path), processId));
}

function firstBelow(mountPath: string, isIt: (path: string) => boolean): string | undefined {
  const waiting = ['/'];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (isIt(path)) return path;
    for (const name of foldersIn(join(mountPath, path))) waiting.push(posix.join(path, name));
  }
  return undefined;
}

function holds(folder: string, processId: number): boolean {
  try {
    return readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').includes(String(processId));
  } catch (error) {
    // Cgroups come and go while they are walked through; those of threads cannot be read in this way.
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
