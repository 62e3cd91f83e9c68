// Tells when cgroups are gone. inotify says nothing to who watches a cgroup that it was removed, and of its `cgroup.events`
// only that the last process ended, which is some time before kubelet removes it; who watches the folder above is told at
// once. Notifications can be lost (inotify's queue and number of watches are bounded), so all cgroups are looked at now and
// then.

import { type FSWatcher, statSync, watch } from 'node:fs';
import { dirname } from 'node:path';

export interface CgroupWatchOptions {
  /** Called once for each cgroup that is gone. */
  readonly onGone: (folder: string) => void;
  /** How often every cgroup is looked at. */
  readonly allEveryMs?: number;
}

export class CgroupWatch {
  readonly #onGone: (folder: string) => void;
  /** Folder to its inode: another cgroup may be made under the same name. */
  readonly #watched = new Map<string, number>();
  /** By the folder above, of which a node has a few. Undefined where no watch could be had. */
  readonly #watchers = new Map<string, FSWatcher | undefined>();
  readonly #sweep: NodeJS.Timeout;

  constructor({ onGone, allEveryMs = 30_000 }: CgroupWatchOptions) {
    this.#onGone = onGone;
    this.#sweep = setInterval(() => this.#look(() => true), allEveryMs).unref();
  }

  get size(): number {
    return this.#watched.size;
  }

  /** False when it is gone already, and nothing is watched then. */
  add(folder: string): boolean {
    if (this.#watched.has(folder)) return true;
    const above = dirname(folder);
    if (!this.#watchers.has(above)) this.#watchers.set(above, this.#watcherOf(above));
    // Only now: whatever happens to it from here on is told.
    const inode = inodeOf(folder);
    if (inode !== undefined) this.#watched.set(folder, inode);
    else this.#endUnused(above);
    return inode !== undefined;
  }

  remove(folder: string): void {
    if (this.#watched.delete(folder)) this.#endUnused(dirname(folder));
  }

  close(): void {
    clearInterval(this.#sweep);
    for (const folder of [...this.#watched.keys()]) this.remove(folder);
  }

  #watcherOf(above: string): FSWatcher | undefined {
    try {
      const watcher = watch(above, { persistent: false }, () => this.#look((folder) => dirname(folder) === above));
      watcher.on('error', () => this.#look((folder) => dirname(folder) === above));
      return watcher;
    } catch (error) {
      // It is going with all in it, or there are no watches left: then it is found by looking.
      if (['ENOENT', 'ENODEV', 'ENOSPC', 'EMFILE'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return undefined;
      throw error;
    }
  }

  #endUnused(above: string): void {
    if ([...this.#watched.keys()].some((folder) => dirname(folder) === above)) return;
    this.#watchers.get(above)?.close();
    this.#watchers.delete(above);
  }

  #look(isMeant: (folder: string) => boolean): void {
    for (const [folder, inode] of [...this.#watched]) {
      if (!isMeant(folder) || inodeOf(folder) === inode) continue;
      this.remove(folder);
      this.#onGone(folder);
    }
  }
}

function inodeOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.ino;
}
