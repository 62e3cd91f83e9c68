// The pins in one folder of bpffs, by name: links in one, maps in another.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { openPinned, pin } from '../../native/bpf-link.ts';
import { close } from '../../native/socket.ts';
import { attemptOnFiles } from './file-attempt.ts';
import { isFailure, type LoadFailure, systemFailure } from './load-failure.ts';

/** What links and maps may be called; bpffs itself has no names with dots. */
export function isPinName(name: string): boolean {
  return /^\w{1,128}$/.test(name);
}

/** One that is there already is as good. */
export function makeFolder(path: string): LoadFailure | undefined {
  return attemptOnFiles(`make ${path}`, () => {
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  });
}

/** Name → descriptor, which stays the caller's. */
export function pinAll(folder: string, descriptors: Readonly<Record<string, number>>): LoadFailure | undefined {
  for (const [name, fd] of Object.entries(descriptors)) {
    const path = join(folder, name);
    if (!isPinName(name)) return { reason: `cannot pin ${path}: names are made of letters, digits and _` };
    const result = pin(fd, path);
    if (result < 0) return systemFailure(`pin ${path}`, result);
  }
  return undefined;
}

/** All of them or a failure; the descriptors are the caller's. */
export function openAll(folder: string, names: readonly string[]): ReadonlyMap<string, number> | LoadFailure {
  const opened = new Map<string, number>();
  for (const name of names) {
    const path = join(folder, name);
    const fd = openPinned(path);
    if (fd < 0) {
      closeAll(opened);
      return systemFailure(`open ${path}`, fd);
    }
    opened.set(name, fd);
  }
  return opened;
}

export function closeAll(descriptors: ReadonlyMap<string, number>): void {
  for (const fd of descriptors.values()) close(fd);
}

/** Puts each in the place of the one that has its name, so that there always is one. `beside` is a folder of the same bpffs. */
export function replaceAll(
  folder: string,
  descriptors: Readonly<Record<string, number>>,
  beside: string,
): LoadFailure | undefined {
  for (const [name, fd] of Object.entries(descriptors)) {
    const fresh = join(beside, name);
    const failure =
      removeEntries(beside, [name]) ??
      pinAll(beside, { [name]: fd }) ??
      attemptOnFiles(`put ${name} into ${folder}`, () => renameSync(fresh, join(folder, name)));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** Those that are not there are passed over. */
export function removeEntries(folder: string, names: readonly string[]): LoadFailure | undefined {
  for (const name of names) {
    const path = join(folder, name);
    if (!existsSync(path)) continue;
    const failure = attemptOnFiles(`remove ${path}`, () => unlinkSync(path));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** Removes the folder when it is empty; what others put there stays, and is named. */
export function removeFolder(path: string): LoadFailure | undefined {
  if (!existsSync(path)) return undefined;
  const left = readdirSync(path);
  if (left.length === 0) return attemptOnFiles(`remove ${path}`, () => rmdirSync(path));
  return {
    reason: `${path} keeps what Outrigger did not pin: ${left.join(', ')}`,
    wayOut: `look at it, then rm -r ${path}`,
  };
}

/** What was left by a process that died while it filled it. Nobody else writes there. */
export function removeHalfMade(path: string): LoadFailure | undefined {
  if (!existsSync(path)) return undefined;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const failure = entry.isDirectory() ? removeHalfMade(join(path, entry.name)) : removeEntries(path, [entry.name]);
    if (isFailure(failure)) return failure;
  }
  return removeFolder(path);
}
