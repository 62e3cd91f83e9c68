// Tells when cgroups are gone. The kernel notifies about `cgroup.events` (inotify) when the last process of a cgroup has
// ended, and kubelet removes the folder some time after that, about which nothing is said: so a cgroup without processes
// is looked at until it is gone or in use again. Notifications can be lost (inotify's queue and number of watches are
// bounded), so all of them are looked at now and then.

import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';

export interface CgroupWatchOptions {
  /** Called once for each cgroup that is gone. */
  readonly onGone: (folder: string) => void;
  /** How often a cgroup without processes is looked at. */
  readonly emptyEveryMs?: number;
  /** How often every cgroup is. */
  readonly allEveryMs?: number;
}

export class CgroupWatch {
  readonly #onGone: (folder: string) => void;
  readonly #watched = new Map<string, Watched>();
  readonly #emptyEveryMs: number;
  readonly #sweep: NodeJS.Timeout;
  #emptyTimer: NodeJS.Timeout | undefined;

  constructor({ onGone, emptyEveryMs = 250, allEveryMs = 30_000 }: CgroupWatchOptions) {
    this.#onGone = onGone;
    this.#emptyEveryMs = emptyEveryMs;
    this.#sweep = setInterval(() => this.#look([...this.#watched.keys()]), allEveryMs).unref();
  }

  get size(): number {
    return this.#watched.size;
  }

  /** False when it is gone already, and nothing is watched then. */
  add(folder: string): boolean {
    if (this.#watched.has(folder)) return true;
    const inode = inodeOf(folder);
    if (inode === undefined) return false;
    this.#watched.set(folder, { inode, watcher: this.#watcherOf(folder) });
    this.#look([folder]);
    return this.#watched.has(folder);
  }

  remove(folder: string): void {
    this.#watched.get(folder)?.watcher?.close();
    this.#watched.delete(folder);
  }

  close(): void {
    clearInterval(this.#sweep);
    clearTimeout(this.#emptyTimer);
    for (const folder of [...this.#watched.keys()]) this.remove(folder);
  }

  /** Undefined where there are no watches left, or the cgroup is going right now: then it is found by looking. */
  #watcherOf(folder: string): FSWatcher | undefined {
    try {
      const watcher = watch(join(folder, EVENTS), { persistent: false }, () => this.#look([folder]));
      watcher.on('error', () => this.#look([folder]));
      return watcher;
    } catch (error) {
      if (['ENOENT', 'ENODEV', 'ENOSPC', 'EMFILE'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return undefined;
      throw error;
    }
  }

  #look(folders: readonly string[]): void {
    for (const folder of folders) {
      const watched = this.#watched.get(folder);
      if (watched === undefined || inodeOf(folder) === watched.inode) continue;
      this.remove(folder);
      this.#onGone(folder);
    }
    const hasEmpty = folders.some((folder) => this.#watched.has(folder) && !isPopulated(folder));
    if (hasEmpty && this.#emptyTimer === undefined) {
      this.#emptyTimer = setTimeout(() => {
        this.#emptyTimer = undefined;
        this.#look([...this.#watched.keys()].filter((folder) => !isPopulated(folder)));
      }, this.#emptyEveryMs).unref();
    }
  }
}

interface Watched {
  /** Another cgroup may be made under the same name. */
  readonly inode: number;
  readonly watcher: FSWatcher | undefined;
}

const EVENTS = 'cgroup.events';

function inodeOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.ino;
}

/** Whether it, or one below it, has a process; not, when it is gone. */
function isPopulated(folder: string): boolean {
  try {
    return /^populated 1$/m.test(readFileSync(join(folder, EVENTS), 'latin1'));
  } catch (error) {
    if (['ENOENT', 'ENODEV'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
