// The file that Node runs where a test starts one of our programs: of the bundle, as users have it, while that is of the sources
// of now, else the source itself. So nobody tests what he has just changed by what was made before, and the gate, which has
// made the bundle, tests what is shipped.
// Each thread that starts from sources finds, strips and compiles some 500 files. User CPU until the configuration is served:
// 3.0 s without Node's cache of compiled code, 1.5 s with a full one, and 0.4 s from the bundle. A process that is killed leaves
// nothing in that cache, and most of a test's processes are.

import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

const NAMES = { 'proxy/main.ts': 'outrigger', 'bpf/main.ts': 'bpf' } as const;

/** All that the bundle is made of: folders, and what it takes a version from. */
const FOLDERS = ['bpf', 'build', 'config', 'control-plane', 'native', 'proxy', 'sampler', 'xds'];
const FILES = ['package.json', 'package-lock.json'];

/** What the kernel runs is no part of it. */
const IS_READ = /\.(?:ts|js|css|html)$/;

/** Written last. */
const LAST = ['outrigger', 'worker'];

let isCurrent: boolean | undefined;

export function programFile(source: keyof typeof NAMES): string {
  isCurrent ??= isBundleCurrent(ROOT);
  return isCurrent ? join(ROOT, 'dist', `${NAMES[source]}.cjs`) : join(ROOT, source);
}

/**
 * Whether it was begun after the last change of any file. That is when the file came to be as it is here: who copies a tree, or
 * unpacks one, may have given it a time of before. A bundle that is linked, or that has times from before its folder, was made
 * of sources in another place.
 */
export function isBundleCurrent(root: string): boolean {
  const dist = join(root, 'dist');
  const ends = LAST.map((thread) => join(dist, `${thread}.${process.arch}.compiled`));
  if (!ends.every((file) => existsSync(file)) || lstatSync(dist).isSymbolicLink()) return false;
  const begunAtMs = statSync(dist).birthtimeMs;
  if (ends.some((file) => statSync(file).mtimeMs < begunAtMs)) return false;
  const inputs = FOLDERS.flatMap((folder) => inputsIn(root, folder));
  return [...inputs, ...FILES].every((input) => statSync(join(root, input)).ctimeMs < begunAtMs);
}

/** Folders too: one that has lost a file is a change. But for that of the kernel's programs, which a test may make first. */
function inputsIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => (entry.isDirectory() && entry.name !== 'objects') || IS_READ.test(entry.name))
    .map((entry) => join(folder, entry.parentPath.slice(join(root, folder).length), entry.name));
}
