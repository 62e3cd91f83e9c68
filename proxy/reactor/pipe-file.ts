// The file of a listening Unix socket. As in Envoy, a socket file that an earlier process left is replaced; any other
// file is left alone, and binding then fails with EADDRINUSE.

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import type { PipeAddress } from '../../config/address.ts';
import { bind } from '../../native/socket.ts';

/** Binds `fd` to the path with its mode. Returns 0 or a negated errno. */
export function bindPipe(fd: number, address: PipeAddress): number {
  const { path, mode } = address;
  if (path.startsWith('@')) return bind(fd, address);
  const removed = outcomeOf(() => {
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) unlinkSync(path);
  });
  if (removed < 0) return removed;
  const bound = bind(fd, address);
  return bound < 0 || mode === undefined ? bound : outcomeOf(() => chmodSync(path, mode));
}

/** 0, or the negated errno of the failed call of Node's file system; anything else it throws is thrown on. */
function outcomeOf(call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    return errno;
  }
}
