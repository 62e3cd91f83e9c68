// A network namespace by the number that the kernel tells of a link: opened through a process that is in it.

import { closeSync, fstatSync, openSync, readdirSync } from 'node:fs';
import type { LoadFailure } from '../loader/load-failure.ts';

/** A descriptor, the caller's. */
export function openNamespace(inode: number): number | LoadFailure {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const fd = openOf(pid);
    if (fd === undefined) continue;
    if (fstatSync(fd).ino === inode) return fd;
    closeSync(fd);
  }
  return {
    reason: `no process that can be seen is in network namespace ${inode}, whose incoming connections are redirected`,
    wayOut: 'run as root in the PID namespace of the node; where its pod is gone, unload it',
  };
}

function openOf(pid: string): number | undefined {
  try {
    return openSync(`/proc/${pid}/ns/net`, 'r');
  } catch (error) {
    // It ended since, or is not ours to look into.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
