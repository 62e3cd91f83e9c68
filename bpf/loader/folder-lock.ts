// One writer at a time for something that may not exist yet: a folder is made to be locked, and removed by whoever holds it.
// The lock is the kernel's (flock), so that of a process that died is free.

import { closeSync, fstatSync, mkdirSync, openSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { Errno } from '../../native/errno.ts';
import { lockFile } from '../../native/file-lock.ts';
import { type LoadFailure, systemFailure } from './load-failure.ts';

export class FolderLock {
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Never waits: somebody else's lock is a failure. */
  static take(path: string): FolderLock | LoadFailure {
    try {
      for (;;) {
        mkdirSync(path, { recursive: true, mode: 0o700 });
        const fd = openSync(path, 'r');
        const result = lockFile(fd, { waits: false });
        if (result >= 0 && isStill(path, fd)) return new FolderLock(path, fd);
        closeSync(fd);
        if (result < 0) return lockFailure(path, result);
      }
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      return systemFailure(`lock ${path}`, errno);
    }
  }

  /** What the holder left in it stays, with the folder, for the next one to look at. */
  release(): void {
    if (isStill(this.path, this.#fd) && readdirSync(this.path).length === 0) rmdirSync(this.path);
    closeSync(this.#fd);
  }
}

/** False when the folder was removed since it was opened: by the one that held it before, or by hand. */
function isStill(path: string, fd: number): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  return there !== undefined && there.ino === fstatSync(fd).ino;
}

function lockFailure(path: string, errno: number): LoadFailure {
  if (errno !== -Errno.EAGAIN) return systemFailure(`lock ${path}`, errno);
  return { reason: `another process is changing what ${path} is the lock of`, wayOut: 'try again when it is done' };
}
