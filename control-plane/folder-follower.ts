// Tells when something in the folder changed. Editors write a file in place or rename one over it; Kubernetes swaps the
// link `..data` of a mounted ConfigMap; a deployment may swap the folder itself. All of them are events of a folder, and
// what changed is found by reading it, so the events need not be understood. Where all of them name files, these are
// looked at first, and everything a little later: an event may be lost, or a file changed under another name.

import { type FSWatcher, readdirSync, type Stats, statSync, watch } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { groupsFolder, groupsOf, isJustNow, isResourceName } from './config-folder.ts';

export interface FolderFollowerOptions {
  readonly folder: string;
  /**
   * Something may have changed: not before the writer is probably done, not later than 100 ms after it began. `touched` are
   * files by their path below the folder; undefined when it may be anything.
   */
  readonly onChange: (touched: ReadonlySet<string> | undefined) => void;
}

/** Writing a file takes several system calls, each of them an event. */
const quietMs = 10;
/** Somebody who writes all the time must not keep changes from being served. */
const latestMs = 50;
/** For file systems without events, for folders whose parent cannot be watched, and for files that are elsewhere. */
const pollMs = 1_000;
/** With more of them the system may have left some out. */
const maxEvents = 1_000;

export class FolderFollower {
  readonly #folder: string;
  readonly #onChange: FolderFollowerOptions['onChange'];
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly identity: string }>();
  #poll: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #firstEventAtMs: number | undefined;
  #events = 0;
  /** Undefined when an event was not of a file that is read. */
  #touched: Set<string> | undefined = new Set();
  /** Only what events named was looked at. */
  #isLookDue = false;
  #lastSeen = '';
  /** Files of each folder that are elsewhere. */
  readonly #links = new Map<string, { readonly seen: string; readonly paths: readonly string[] }>();
  /** Some folder cannot be watched, as when the system's limit of watches is reached: then every poll looks. */
  #isBlind = false;

  constructor({ folder, onChange }: FolderFollowerOptions) {
    this.#folder = resolve(folder);
    this.#onChange = onChange;
  }

  start(): void {
    this.#watchAll();
    this.#lastSeen = this.#seen();
    this.#poll = setInterval(() => {
      if (!this.#isBlind && !this.#isLookDue && this.#seen() === this.#lastSeen) return;
      this.#touched = undefined;
      this.#tell();
    }, pollMs);
  }

  stop(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#quiet);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** `file` is below the folder. */
  #onEvent(file?: string): void {
    if (file === undefined || ++this.#events > maxEvents) this.#touched = undefined;
    else this.#touched?.add(file);
    const now = performance.now();
    this.#firstEventAtMs ??= now;
    clearTimeout(this.#quiet);
    const delayMs = Math.max(0, Math.min(quietMs, this.#firstEventAtMs + latestMs - now));
    this.#quiet = setTimeout(() => this.#tell(), delayMs);
  }

  #tell(): void {
    this.#firstEventAtMs = undefined;
    // Folders that came are watched before they are read: what is written in between is an event.
    this.#watchAll();
    this.#lastSeen = this.#seen();
    const touched = this.#touched;
    this.#touched = new Set();
    this.#events = 0;
    this.#isLookDue = touched !== undefined;
    this.#onChange(touched);
  }

  #watchAll(): void {
    this.#isBlind = false;
    const folders = new Set([dirname(this.#folder), ...this.#folders()]);
    for (const folder of folders) this.#watch(folder);
    for (const [folder, { watcher }] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
  }

  /** Those that are there. */
  #folders(): readonly string[] {
    const nodes = join(this.#folder, groupsFolder);
    const folders = [this.#folder, nodes].filter((folder) => identityOf(folder) !== '');
    return folders.length < 2 ? folders : [...folders, ...this.#groups().map((group) => join(nodes, group))];
  }

  #groups(): readonly string[] {
    try {
      return groupsOf(this.#folder);
    } catch (error) {
      // It went between two looks; reading it will say so.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return [];
    }
  }

  #watch(folder: string): void {
    const identity = identityOf(folder);
    const watched = this.#watchers.get(folder);
    if (watched?.identity === identity) return;
    // Files of these names were in another folder.
    this.#touched = undefined;
    watched?.watcher.close();
    this.#watchers.delete(folder);
    if (identity === '') return;
    const watcher = this.#newWatcher(folder);
    if (watcher === undefined) {
      this.#isBlind = true;
      return;
    }
    watcher.once('error', () => {
      watcher.close();
      this.#watchers.delete(folder);
      this.#onEvent();
    });
    this.#watchers.set(folder, { watcher, identity });
  }

  /** Undefined when the system does not let it be watched. */
  #newWatcher(folder: string): FSWatcher | undefined {
    // Of the parent only the folder itself matters: it is often /etc or /tmp.
    const isParent = folder === dirname(this.#folder);
    const place = folder === this.#folder ? '' : `${relative(this.#folder, folder)}/`;
    try {
      return watch(folder, (_, name) => {
        if (isParent && name !== basename(this.#folder)) return;
        this.#onEvent(isParent || name === null || !isResourceName(name) ? undefined : place + name);
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return undefined;
    }
  }

  #seen(): string {
    const folders = new Set(this.#folders());
    for (const folder of this.#links.keys()) if (!folders.has(folder)) this.#links.delete(folder);
    return [...folders]
      .flatMap((folder) => {
        const { mtimeMs = 0 } = statOf(folder) ?? {};
        const seen = `${folder} ${identityOf(folder)} ${mtimeMs}`;
        const paths = this.#linksIn(folder, seen);
        // Another link may come within the same tick of the clock.
        if (isJustNow(mtimeMs)) this.#links.delete(folder);
        return [seen, ...paths.map(stampOf)];
      })
      .join('\n');
  }

  /** What they lead to may be written where nobody watches. They are other ones only when the folder was `seen` to change. */
  #linksIn(folder: string, seen: string): readonly string[] {
    const known = this.#links.get(folder);
    if (known?.seen === seen) return known.paths;
    const paths = linksIn(folder);
    this.#links.set(folder, { seen, paths });
    return paths;
  }
}

/** A watcher is bound to the folder, not to its name. Empty when there is none. */
function identityOf(folder: string): string {
  const stat = statOf(folder);
  return stat?.isDirectory() === true ? `${stat.dev}:${stat.ino}` : '';
}

function linksIn(folder: string): readonly string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const links = entries.filter((entry) => entry.isSymbolicLink() && isResourceName(entry.name));
    return links.map(({ name }) => join(folder, name));
  } catch (error) {
    // As above.
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return [];
  }
}

/** Differs when what the path leads to was written, or is another file; also when it was written so lately that it may be again. */
function stampOf(path: string): string {
  const stat = statOf(path);
  if (stat === undefined) return '';
  return isJustNow(stat.ctimeMs) ? `${performance.now()}` : `${stat.dev}:${stat.ino}:${stat.size}:${stat.ctimeMs}`;
}

/** Undefined also where it may not be looked at: who reads it says so, and it may be there again. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}
