// What stays when the process goes: links and maps pinned in bpffs, at <bpffs>/outrigger/v1/<name>/{links,maps}, with the
// settings that they were made by. `v1` is the ABI of the maps: a version with another one makes another folder, and
// neither takes the other's for its own.
//
// A folder is filled beside its place and renamed, so it is there with everything or not at all. One process at a time
// changes it: the lock is on a folder of its own, since the one in question may not be there yet, and the half-made one is
// kept in it, where only the holder of the lock looks. bpffs has no plain files, so the settings are a map of one entry.

import { existsSync, lstatSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findBpffs } from './bpffs.ts';
import { attemptOnFiles } from './file-attempt.ts';
import { FolderLock } from './folder-lock.ts';
import { isFailure, type LoadFailure } from './load-failure.ts';
import {
  closeAll,
  makeFolder,
  openAll,
  pinAll,
  removeEntries,
  removeFolder,
  removeHalfMade,
  replaceAll,
} from './pinned-entries.ts';
import { openSettings, type PinnedSettings, pinSettings, SETTINGS_FILE } from './pinned-settings.ts';

export interface PinFolderOptions {
  /** Letters, digits, `_` and `-`, such as a pod's uid. bpffs has no names with dots. */
  readonly name: string;
  /** Where bpffs is mounted; when absent, where the mount table says. */
  readonly bpffs?: string | undefined;
}

/** What is put into a folder. Descriptors stay the caller's. */
export interface PinSet {
  /** By name: letters, digits and `_`. */
  readonly links: Readonly<Record<string, number>>;
  readonly maps: Readonly<Record<string, number>>;
  /** Plain data; comes back as it was. */
  readonly settings: unknown;
}

/** What was found in a folder. Descriptors are the caller's from now on. */
export interface PinnedSet {
  readonly links: ReadonlyMap<string, number>;
  readonly maps: ReadonlyMap<string, number>;
  readonly settings: unknown;
}

/** The ABI of what is pinned. It changes when a map's shape or meaning does. */
export const PIN_VERSION = 'v1';

export class PinFolder {
  readonly name: string;
  readonly path: string;
  /** Holds a folder for each version. */
  readonly #ours: string;

  private constructor(bpffs: string, name: string) {
    this.name = name;
    this.#ours = join(bpffs, 'outrigger');
    this.path = join(this.#ours, PIN_VERSION, name);
  }

  /** A failure when there is no bpffs to write to or the name cannot be one. Whether the folder is there, `exists` tells. */
  static at({ name, bpffs }: PinFolderOptions): PinFolder | LoadFailure {
    if (!NAME.test(name) || name === LOCKS) {
      return { reason: `'${name}' cannot name a folder of pins: letters, digits, _ and - can` };
    }
    const found = findBpffs(bpffs);
    return isFailure(found) ? found : new PinFolder(found.path, name);
  }

  /** The folders of this version that are there. */
  static names(bpffs?: string): readonly string[] | LoadFailure {
    const found = findBpffs(bpffs);
    if (isFailure(found)) return found;
    const version = join(found.path, 'outrigger', PIN_VERSION);
    if (!existsSync(version)) return [];
    return readdirSync(version).filter((name) => existsSync(join(version, name, SETTINGS_FILE)));
  }

  exists(): boolean {
    return existsSync(join(this.path, SETTINGS_FILE));
  }

  /** Pins all of `set`, or nothing. Refused when the folder is there, or another version's of the same name. */
  create(set: PinSet): LoadFailure | undefined {
    return this.#locked((lock) => {
      return this.#alreadyThere() ?? this.#fillThen(set, lock, () => undefined);
    });
  }

  /**
   * As `create`, in the place of what is there. A failure to pin leaves that as it was. At no time is what both pin
   * not pinned: a process that is killed on the way leaves it captured.
   */
  replace(set: PinSet): LoadFailure | undefined {
    return this.#locked((lock) =>
      this.#fillThen(set, lock, () => (this.exists() ? this.#removeAll() : this.#alreadyThere())),
    );
  }

  /** Pins `set` beside the folder, does `before`, and puts it into place. */
  #fillThen(set: PinSet, lock: FolderLock, before: () => LoadFailure | undefined): LoadFailure | undefined {
    const fresh = join(lock.path, 'new');
    const failure =
      removeHalfMade(fresh) ??
      fill(fresh, set) ??
      before() ??
      attemptOnFiles(`make ${this.path}`, () => renameSync(fresh, this.path));
    if (failure !== undefined) removeHalfMade(fresh);
    return failure;
  }

  /** Everything in it, opened. */
  read(): PinnedSet | LoadFailure {
    const said = this.#settings();
    if (isFailure(said)) return said;
    const links = openAll(join(this.path, LINKS), said.links);
    if (isFailure(links)) return links;
    const maps = openAll(join(this.path, MAPS), said.maps);
    if (!isFailure(maps)) return { links, maps, settings: said.settings };
    closeAll(links);
    return maps;
  }

  /** Other settings in the place of those that are there, and maps in the place of those of the same name, or new ones. */
  update(settings: unknown, maps: Readonly<Record<string, number>> = {}): LoadFailure | undefined {
    return this.#locked((lock) => {
      const said = this.#settings();
      if (isFailure(said)) return said;
      const names = [...new Set([...said.maps, ...Object.keys(maps)])];
      return (
        replaceAll(join(this.path, MAPS), maps, lock.path) ??
        pinSettings(this.path, { links: said.links, maps: names, settings })
      );
    });
  }

  /**
   * Takes away what `create` made, links first so that nothing is captured any more, and nothing else. When it is
   * interrupted it can be asked again.
   */
  remove(): LoadFailure | undefined {
    return this.#locked(() => this.#removeAll());
  }

  #removeAll(): LoadFailure | undefined {
    const said = this.#settings();
    if (isFailure(said)) return said;
    const [links, maps] = [join(this.path, LINKS), join(this.path, MAPS)];
    return (
      removeEntries(links, said.links) ??
      removeEntries(maps, said.maps) ??
      removeFolder(links) ??
      removeFolder(maps) ??
      removeEntries(this.path, [SETTINGS_FILE]) ??
      removeFolder(this.path)
    );
  }

  #settings(): PinnedSettings | LoadFailure {
    const foreign = this.#foreignProblem();
    if (foreign !== undefined) return foreign;
    const said = openSettings(this.path);
    return isFailure(said) ? { ...said, wayOut: `remove it by hand: rm -r ${this.path}` } : said;
  }

  #locked(change: (lock: FolderLock) => LoadFailure | undefined): LoadFailure | undefined {
    const version = dirname(this.path);
    // One by one: of a read-only filesystem a recursive mkdir says that something is not found.
    const failure = makeFolder(this.#ours) ?? makeFolder(version) ?? makeFolder(join(version, LOCKS));
    const foreign = failure ?? foreignProblem(this.#ours) ?? foreignProblem(version);
    if (foreign !== undefined) return foreign;
    const lock = FolderLock.take(join(version, LOCKS, this.name));
    if (isFailure(lock)) return lock;
    try {
      return change(lock);
    } finally {
      lock.release();
    }
  }

  #alreadyThere(): LoadFailure | undefined {
    const versions = readdirSync(this.#ours);
    const version = versions.find((version) => existsSync(join(this.#ours, version, this.name, SETTINGS_FILE)));
    if (version === undefined) return undefined;
    const reason = `${join(this.#ours, version, this.name)} is there already`;
    if (version !== PIN_VERSION) return { reason, wayOut: 'unload it with the version of Outrigger that made it' };
    return { reason, wayOut: 'swap its programs, or unload it first' };
  }

  #foreignProblem(): LoadFailure | undefined {
    if (!existsSync(this.path)) return { reason: `nothing is pinned as ${this.path}` };
    return foreignProblem(this.#ours) ?? foreignProblem(dirname(this.path)) ?? foreignProblem(this.path);
  }
}

const LINKS = 'links';
const MAPS = 'maps';
/** Beside the folders, and no name for one. */
const LOCKS = 'locks';
const NAME = /^[A-Za-z0-9_-]{1,128}$/;

function fill(folder: string, { links, maps, settings }: PinSet): LoadFailure | undefined {
  return (
    makeFolder(folder) ??
    makeFolder(join(folder, LINKS)) ??
    makeFolder(join(folder, MAPS)) ??
    pinAll(join(folder, LINKS), links) ??
    pinAll(join(folder, MAPS), maps) ??
    pinSettings(folder, { links: Object.keys(links), maps: Object.keys(maps), settings })
  );
}

/** Whoever may write into a folder decides what we take for our maps. bpffs lets everybody make folders in its root. */
function foreignProblem(path: string): LoadFailure | undefined {
  const { uid, mode, isFolder } = ownerOf(path);
  const isOurs = uid === process.geteuid!() || uid === 0;
  if (isFolder && isOurs && (mode & 0o022) === 0) return undefined;
  return {
    reason: `${path} belongs to somebody else (uid ${uid}, mode ${(mode & 0o7777).toString(8)}) and is not trusted`,
    wayOut: `run as uid ${uid}, or look at it and remove it: rm -r ${path}`,
  };
}

function ownerOf(path: string): { uid: number; mode: number; isFolder: boolean } {
  const found = lstatSync(path);
  return { uid: found.uid, mode: found.mode, isFolder: found.isDirectory() };
}
