// What of ours is in this kernel: programs, the links that hold them where they run, and their maps. Every program and link
// of the machine is gone through, which takes CAP_SYS_ADMIN. Without it, links and maps that are pinned are seen, and the
// listing says what is missing.

import { join } from 'node:path';
import {
  type LinkInfo,
  linkById,
  linkInfo,
  mapById,
  mapInfo,
  nextLinkId,
  nextProgramId,
  type ProgramInfo,
  programById,
  programInfo,
} from '../../native/bpf-info.ts';
import { AttachType } from '../../native/bpf-link.ts';
import { Errno } from '../../native/errno.ts';
import { close } from '../../native/socket.ts';
import { AttachPlaces } from './attach-place.ts';
import { hasNoBpffs } from './bpffs.ts';
import { failureText, isFailure, systemFailure } from './load-failure.ts';
import { lockedBytes, type MapEntry, readMapEntry } from './map-entry.ts';
import type { ObjectName } from './object-files.ts';
import { COUNTER_NAMES, LAYOUTS } from './object-layouts.ts';
import { PinFolder } from './pin-folder.ts';
import type { ReleasedProgram } from './program-release.ts';

export interface Inventory {
  readonly programs: readonly ProgramEntry[];
  readonly links: readonly LinkEntry[];
  readonly maps: readonly (MapEntry & Pinned)[];
  /** What could not be looked at, and why; sentences. */
  readonly gaps: readonly string[];
  /** What there is nothing of to look at, and why; sentences. */
  readonly notes?: readonly string[];
}

export interface ProgramEntry {
  readonly id: number;
  readonly name: string;
  readonly object: ObjectName;
  /** The kernel's hash of its instructions. */
  readonly tag: string;
  /** Whether the released program of this name is the same; `unknown` when there is none to compare with. */
  readonly release: 'same' | 'other' | 'unknown';
  /** Of the released object's file, when `release` is `same`. */
  readonly sha256?: string;
  readonly loadedAtMs: number;
  readonly createdByUid: number;
  /** 0 unless the machine counts (sysctl kernel.bpf_stats_enabled). */
  readonly runCount: number;
  readonly runTimeNs: number;
  readonly memoryBytes: number;
  readonly mapIds: readonly number[];
}

export interface LinkEntry extends Pinned {
  readonly id: number;
  readonly programId: number;
  /** A name of `AttachType`. */
  readonly attachType: string;
  /** `/sys/fs/cgroup/kubepods/pod1`, `network namespace 4026531840 (this one)`. */
  readonly place: string;
}

export interface Pinned {
  readonly pinnedAs?: string;
}

export interface InventoryOptions {
  /** What running programs are compared with (`releasedPrograms`). */
  readonly released?: ReadonlyMap<string, ReleasedProgram> | undefined;
  readonly bpffs?: string | undefined;
  /** Now, and for how long the machine has been up. */
  readonly clock: { readonly nowMs: number; readonly uptimeMs: number };
}

export function takeInventory(options: InventoryOptions): Inventory {
  const listing = new Listing(options);
  listing.addPinned();
  listing.addPrograms();
  listing.addLinks();
  return listing.finished();
}

class Listing {
  readonly #options: InventoryOptions;
  readonly #places = new AttachPlaces();
  readonly #programs = new Map<number, ProgramEntry>();
  readonly #links = new Map<number, LinkEntry>();
  readonly #maps = new Map<number, MapEntry & Pinned>();
  readonly #gaps = new Set<string>();
  readonly #notes: string[] = [];

  constructor(options: InventoryOptions) {
    this.#options = options;
  }

  addPinned(): void {
    const { bpffs } = this.#options;
    if (bpffs === undefined && hasNoBpffs()) {
      this.#notes.push('bpffs is not mounted, so nothing is pinned here');
      return;
    }
    const names = PinFolder.names(bpffs);
    if (isFailure(names)) {
      this.#gaps.add(names.reason);
      return;
    }
    for (const name of names) this.#addFolder(PinFolder.at({ name, bpffs }));
  }

  /** Programs that run, those without a link among them. */
  addPrograms(): void {
    this.#walk({ what: 'programs', next: nextProgramId, open: programById }, (fd) => {
      const info = programInfo(fd);
      const object = typeof info === 'number' ? undefined : OBJECTS.get(info.name);
      if (typeof info === 'number' || object === undefined) return;
      this.#programs.set(info.id, this.#programEntry(fd, info, object));
      for (const id of info.mapIds) this.#addMapOf(id, object);
    });
  }

  addLinks(): void {
    this.#walk({ what: 'links', next: nextLinkId, open: linkById }, (fd) => {
      const info = linkInfo(fd);
      if (typeof info === 'number' || !this.#programs.has(info.programId)) return;
      if (!this.#links.has(info.id)) this.#links.set(info.id, this.#linkEntry(info));
    });
  }

  finished(): Inventory {
    return {
      programs: [...this.#programs.values()],
      links: [...this.#links.values()],
      maps: [...this.#maps.values()],
      gaps: [...this.#gaps],
      notes: this.#notes,
    };
  }

  #addFolder(folder: ReturnType<typeof PinFolder.at>): void {
    const pins = isFailure(folder) ? folder : folder.read();
    if (isFailure(pins)) {
      this.#gaps.add(failureText(pins));
      return;
    }
    const { path } = folder as PinFolder;
    for (const [name, fd] of pins.links) {
      const info = linkInfo(fd);
      const pinnedAs = join(path, 'links', name);
      if (typeof info !== 'number') this.#links.set(info.id, { ...this.#linkEntry(info), pinnedAs });
      close(fd);
    }
    for (const [name, fd] of pins.maps) {
      const entry = readMapEntry(fd);
      const pinnedAs = join(path, 'maps', name);
      if (typeof entry !== 'number') this.#maps.set(entry.id, { ...entry, pinnedAs });
      close(fd);
    }
  }

  /** Shared by programs of several objects, a map is listed once, with the counters' names of the first. */
  #addMapOf(id: number, object: ObjectName): void {
    const known = this.#maps.get(id);
    if (known?.counters !== undefined || (known !== undefined && known.name !== COUNTERS)) return;
    const fd = mapById(id);
    if (fd < 0) return;
    const info = mapInfo(fd);
    const isCounters = typeof info !== 'number' && info.name === COUNTERS;
    const entry = readMapEntry(fd, isCounters ? COUNTER_NAMES[object] : undefined);
    if (typeof entry !== 'number') this.#maps.set(id, { ...known, ...entry });
    close(fd);
  }

  #walk(kind: Kind, visit: (fd: number) => void): void {
    for (let id = kind.next(0); id !== -Errno.ENOENT; id = kind.next(id)) {
      const fd = id < 0 ? id : kind.open(id);
      // Gone since its number was told.
      if (fd === -Errno.ENOENT) continue;
      if (fd < 0) {
        this.#gaps.add(failureText({ ...systemFailure(`list ${kind.what}`, fd), wayOut: SYS_ADMIN }));
        return;
      }
      visit(fd);
      close(fd);
    }
  }

  #programEntry(fd: number, info: ProgramInfo, object: ObjectName): ProgramEntry {
    const { id, name, tag, createdByUid, runCount, runTimeNs, mapIds, loadTimeNs } = info;
    const { nowMs, uptimeMs } = this.#options.clock;
    const released = this.#options.released?.get(name);
    const isSame = released?.tag === tag;
    return {
      ...{ id, name, object, tag, createdByUid, runCount, runTimeNs, mapIds },
      release: released === undefined ? 'unknown' : isSame ? 'same' : 'other',
      ...(isSame && { sha256: released.sha256 }),
      loadedAtMs: nowMs - uptimeMs + loadTimeNs / 1e6,
      memoryBytes: lockedBytes(fd),
    };
  }

  #linkEntry(info: LinkInfo): LinkEntry {
    const { id, programId, attachType } = info;
    return { id, programId, attachType: ATTACH_NAMES.get(attachType ?? -1) ?? 'other', place: this.#places.text(info) };
  }
}

interface Kind {
  readonly what: string;
  readonly next: (id: number) => number;
  readonly open: (id: number) => number;
}

const COUNTERS = 'counters';
const SYS_ADMIN = 'only what is pinned is listed; the rest takes CAP_SYS_ADMIN';

const ATTACH_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(AttachType).map(([name, number]) => [number, name]),
);

/** Which object has the program of a name. */
const OBJECTS: ReadonlyMap<string, ObjectName> = new Map(
  (Object.keys(LAYOUTS) as ObjectName[]).flatMap((object) =>
    LAYOUTS[object].programs.map(({ name }) => [name, object]),
  ),
);
