// Why a file cannot be read or written, and what to do about it: an operator who hears `ENOENT` looks for the path, the mount and the
// working folder one after the other, and one who hears `EACCES` for the user. All of that is known here.

import { readlinkSync, type Stats, statSync } from 'node:fs';
import { dirname, isAbsolute, parse, resolve, sep } from 'node:path';

/** What was thrown when the file at `path` was read, as the end of a sentence that names the path: `cannot be read: ENOENT: …`. */
export function cannotBeRead(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = reasonOf(code, path);
  return `cannot be read: ${code ?? message}${reason === undefined ? '' : `: ${reason}`}`;
}

/** The same for one that was to be written. */
export function cannotBeWritten(path: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason = writingReasonOf(code, path);
  return `cannot be written: ${code ?? message}${reason === undefined ? '' : `: ${reason}`}`;
}

function writingReasonOf(code: string | undefined, path: string): string | undefined {
  switch (code) {
    case 'ENOENT':
      return `${absenceOf(path)}; make the folder, or correct the path`;
    case 'EACCES': {
      const place = statsOf(path) === undefined ? dirname(resolve(path)) : resolve(path);
      const who = `uid ${process.geteuid!()} and gid ${process.getegid!()}`;
      return `this process, which is ${who}, may not write to ${place}${ownerOf(place)}; allow that, or name another path`;
    }
    case 'EROFS':
      return 'its file system is read-only; name a path in one that can be written';
    case 'ENOSPC':
    case 'EDQUOT':
      return 'its file system is full; make room, or name another path';
    default:
      return reasonOf(code, path);
  }
}

function reasonOf(code: string | undefined, path: string): string | undefined {
  switch (code) {
    case 'ENOENT':
      return `${absenceOf(path)}; put it there, or correct the path`;
    case 'ENOTDIR':
      return `${fileBefore(path) ?? 'a part of its path'} is no folder; correct the path`;
    case 'EISDIR':
      return 'it is a folder; name a file in it';
    case 'EACCES':
      return refusalOf(path);
    case 'EMFILE':
      return 'this process has as many files open as it may; raise its limit (ulimit -n)';
    case 'ELOOP':
      return 'its links lead in a circle';
    default:
      return undefined;
  }
}

function absenceOf(path: string): string {
  const whole = resolve(path);
  const from = isAbsolute(path) ? '' : ` (the path is looked up in ${process.cwd()})`;
  for (const part of partsOf(whole)) {
    const target = linkTarget(part);
    if (statsOf(part) !== undefined) continue;
    if (target !== undefined) return `${part} is a link to ${target}, which is not there${from}`;
    return part === whole
      ? `the folder ${dirname(whole)} has no such file${from}`
      : `there is no folder ${part}${from}`;
  }
  return `it was not there${from}`;
}

/** Undefined for what is no link, or one that went or cannot be seen: who asks is in the middle of telling an error. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

/** Undefined for what is not there, or behind a folder that this process may not enter. */
function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** Its own rights, or those of a folder on the way to it. */
function refusalOf(path: string): string {
  const whole = resolve(path);
  const closed = partsOf(dirname(whole)).find((folder) => !mayEnter(folder));
  const who = `this process, which is uid ${process.geteuid!()} and gid ${process.getegid!()},`;
  if (closed !== undefined)
    return `${who} may not enter ${closed}${ownerOf(closed)}; run it as another user, or allow that`;
  return `${who} may not read it${ownerOf(whole)}; run it as another user, or allow that`;
}

/** By the user who asks: access(2) would ask for the one that began the process. */
function mayEnter(folder: string): boolean {
  return statsOf(`${folder}/.`) !== undefined;
}

function ownerOf(path: string): string {
  const stats = statsOf(path);
  if (stats === undefined) return '';
  const { uid, gid, mode } = stats;
  return ` (of uid ${uid} and gid ${gid}, mode ${(mode & 0o7777).toString(8)})`;
}

function fileBefore(path: string): string | undefined {
  return partsOf(dirname(resolve(path))).find((part) => statsOf(part)?.isDirectory() === false);
}

/** `/`, `/etc`, `/etc/certs`. */
function partsOf(path: string): readonly string[] {
  const { root } = parse(path);
  const steps = path
    .slice(root.length)
    .split(sep)
    .filter((step) => step !== '');
  return [root, ...steps.map((_, index) => root + steps.slice(0, index + 1).join(sep))];
}
