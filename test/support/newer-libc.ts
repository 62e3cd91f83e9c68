// A test file that needs uWebSockets.js, where the machine's own C library is too old for it: the file runs again, as a
// program whose C library is newer.

import { spawnSync } from 'node:child_process';
import { findNewerLibc } from '../../build/newer-libc.ts';

/** Why uWebSockets.js cannot be used in this very process; undefined when it can. Runs `file` again where that helps. */
export function rerunWithNewerLibc(file: string): string | undefined {
  const libc = findNewerLibc();
  if ('missing' in libc) return `no ${libc.missing}`;
  const [command, ...args] = [...libc.before, process.execPath, file];
  if (libc.before.length === 0) return undefined;
  const { status } = spawnSync(command!, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  process.exit(status ?? 1);
}
