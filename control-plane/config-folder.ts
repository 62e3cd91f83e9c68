// What is in the folder: the text of each file by node group. Files of the folder itself are for every node; those of
// `nodes/GLOB/` are for the nodes whose id the folder's name matches, beside the former.

import { type Dirent, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cannotBeRead } from '../config/unreadable-file.ts';

export interface FolderContent {
  readonly files: readonly FolderFile[];
  /** Files and folders that cannot be read, with the reason. */
  readonly unreadable: readonly { readonly file: string; readonly message: string }[];
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
  const unreadable: { file: string; message: string }[] = [];
  const attempt = (file: string, read: () => void): void => {
    try {
      read();
    } catch (error) {
      unreadable.push({ file, message: cannotBeRead(file === folder ? folder : join(folder, file), error) });
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
        const stamp = stampOf(join(folder, file));
        const isUntouched = stamp !== touchedNow && stamp === known?.stamp;
        files.push(isUntouched ? known : { file, group, stamp, text: readFileSync(join(folder, file), 'utf8') });
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
function stampOf(path: string): string {
  const { dev, ino, size, ctimeMs } = statSync(path);
  return Date.now() - ctimeMs < coarseMs ? touchedNow : `${dev}:${ino}:${size}:${ctimeMs}`;
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
