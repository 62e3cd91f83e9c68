// What is in the folder: the text of each file by node group. Files of the folder itself are for every node; those of
// `nodes/GLOB/` are for the nodes whose id the folder's name matches, beside the former.

import { isUtf8 } from 'node:buffer';
import { type Dirent, lstatSync, readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { cannotBeRead } from '../config/unreadable-file.ts';

export interface FolderContent {
  readonly files: readonly FolderFile[];
  /** Files and folders that cannot be read, with the reason. */
  readonly unreadable: readonly UnreadableFile[];
}

export interface UnreadableFile {
  readonly file: string;
  /** From 1, where it is one line that cannot be read. */
  readonly line?: number;
  readonly message: string;
}

export interface FolderFile {
  /** Relative to the folder. */
  readonly file: string;
  /** Glob of node ids; undefined for every node. */
  readonly group: string | undefined;
  readonly text: string;
  /** Equal to that of a later reading only when the file was not touched meanwhile. */
  readonly stamp: string;
}

/** The folder with the folders of node groups. */
export const groupsFolder = 'nodes';

export interface EarlierLook {
  readonly files: ReadonlyMap<string, FolderFile>;
  /** Files that may have changed since then, as `FolderFile.file`; undefined when that is not known. */
  readonly touched?: ReadonlySet<string> | undefined;
}

/**
 * Files in the order of their names. A folder that is not there is unreadable, as one without access is. What was not
 * touched since `before` is taken from there: of 10,000 files one changes at a time, and to look at each took half the time.
 */
export function readFolder(folder: string, before: EarlierLook = { files: new Map() }): FolderContent {
  const files: FolderFile[] = [];
  const unreadable: UnreadableFile[] = [];
  const attempt = (file: string, read: () => void): void => {
    try {
      read();
    } catch (error) {
      if (error instanceof NotText) unreadable.push({ file, ...error.fault });
      else unreadable.push({ file, message: cannotBeRead(file === folder ? folder : join(folder, file), error) });
    }
  };
  const readFiles = (place: string, group: string | undefined): void => {
    for (const entry of entriesOf(join(folder, place))) {
      if (!isResourceFile(entry)) continue;
      const file = place === '' ? entry.name : `${place}/${entry.name}`;
      const known = before.files.get(file);
      // What a link leads to changes elsewhere.
      const isSame = before.touched?.has(file) === false && entry.isFile() && known !== undefined;
      if (isSame && known.stamp !== touchedNow) {
        files.push(known);
        continue;
      }
      attempt(file, () => {
        const stats = statSync(join(folder, file));
        const stamp = stampOf(stats);
        const isUntouched = stamp !== touchedNow && stamp === known?.stamp;
        files.push(isUntouched ? known : { file, group, stamp, text: textOf(join(folder, file), stats) });
      });
    }
  };
  attempt(folder, () => {
    readFiles('', undefined);
    for (const group of groupsOf(folder)) {
      const place = join(groupsFolder, group);
      attempt(place, () => readFiles(place, group));
    }
  });
  return { files, unreadable };
}

/** Of a file that was touched so lately that another change could have the same time: clocks of file systems are coarse. */
const touchedNow = '';
const coarseMs = 1_000;

/** Taken before the file is read, so that what changes in between is seen the next time. */
function stampOf({ dev, ino, size, ctimeMs }: Stats): string {
  return isJustNow(ctimeMs) ? touchedNow : `${dev}:${ino}:${size}:${ctimeMs}`;
}

/** Another change could still get this time. */
export function isJustNow(timeMs: number): boolean {
  return Date.now() - timeMs < coarseMs;
}

/** More than any mesh has; a text of 512 MiB is more than V8 takes, and a file without end would fill the memory before. */
const maxFileBytes = 256 * 1024 * 1024;

class NotText extends Error {
  readonly fault: Omit<UnreadableFile, 'file'>;

  constructor(message: string, line?: number) {
    super(message);
    this.fault = { message, ...(line !== undefined && { line }) };
  }
}

/** A link may lead to anything. A pipe is not opened: until somebody writes to it, nothing else would be done here. */
function textOf(path: string, stats: Stats): string {
  if (!stats.isFile() && !stats.isDirectory()) {
    throw new NotText('is no file but a pipe, a socket or a device; put a file there, or remove it');
  }
  if (stats.size > maxFileBytes) {
    throw new NotText(`has more than ${maxFileBytes / 1024 / 1024} MiB; spread what is in it over several files`);
  }
  const bytes = readFileSync(path);
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new NotText('is not UTF-8; save it in that encoding', firstLineNotUtf8(bytes));
}

/** From 1. No byte of a longer character is that of a line's end. */
function firstLineNotUtf8(bytes: Buffer): number {
  let line = 1;
  let start = 0;
  for (let end = bytes.indexOf(0x0a); end >= 0 && isUtf8(bytes.subarray(start, end)); line++) {
    start = end + 1;
    end = bytes.indexOf(0x0a, start);
  }
  return line;
}

/** Globs of node ids that have a folder. */
export function groupsOf(folder: string): readonly string[] {
  if (lstatSync(join(folder, groupsFolder), { throwIfNoEntry: false })?.isDirectory() !== true) return [];
  return entriesOf(join(folder, groupsFolder))
    .filter((entry) => !isHidden(entry.name) && (entry.isDirectory() || entry.isSymbolicLink()))
    .map(({ name }) => name);
}

function entriesOf(folder: string): readonly Dirent[] {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Editors write `.x.yaml.swp`, `#x.yaml#`, `x.yaml~` and names without an ending of ours. Files of a Kubernetes ConfigMap
 * are links into a hidden folder.
 */
function isResourceFile(entry: Dirent): boolean {
  return isResourceName(entry.name) && (entry.isFile() || entry.isSymbolicLink());
}

export function isResourceName(name: string): boolean {
  return /\.(ya?ml|json)$/.test(name) && !isHidden(name) && !name.startsWith('#');
}

function isHidden(name: string): boolean {
  return name.startsWith('.');
}
