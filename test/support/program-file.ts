// The file that Node runs where a test starts one of our programs: of the bundle, as users have it, while that is of the sources
// of now, else the source itself. So nobody tests what he has just changed by what was made before, and the gate, which has
// made the bundle, tests what is shipped.
// Each thread that starts from sources finds, strips and compiles some 500 files. User CPU until the configuration is served:
// 3.0 s without Node's cache of compiled code, 1.5 s with a full one, and 0.4 s from the bundle. A process that is killed leaves
// nothing in that cache, and most of a test's processes are.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const DIST = join(ROOT, 'dist');

const NAMES = { 'proxy/main.ts': 'outrigger', 'bpf/main.ts': 'bpf' } as const;

/** All that the bundle is made of. */
const INPUTS = ['bpf', 'build', 'config', 'control-plane', 'native', 'proxy', 'sampler', 'xds'];

/** What the kernel runs is no part of it. */
const IS_READ = /\.(?:ts|js|css|html)$/;

/** Written last. */
const ENDS = ['outrigger', 'worker'].map((thread) => join(DIST, `${thread}.${process.arch}.compiled`));

let isCurrent: boolean | undefined;

export function programFile(source: keyof typeof NAMES): string {
  isCurrent ??= isBundleCurrent();
  return isCurrent ? join(DIST, `${NAMES[source]}.cjs`) : join(ROOT, source);
}

/** Whether it was begun after the last change of any file. */
function isBundleCurrent(): boolean {
  if (!ENDS.every((file) => existsSync(file))) return false;
  const begunAtMs = statSync(DIST).birthtimeMs;
  const files = INPUTS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => IS_READ.test(name))
      .map((name) => join(folder, name)),
  );
  return [...files, 'package-lock.json'].every((file) => statSync(join(ROOT, file)).mtimeMs < begunAtMs);
}
