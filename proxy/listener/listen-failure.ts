// Why an address cannot be listened on, for people, with the way out where there is one.

import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Address, IpAddress, PipeAddress } from '../../config/address.ts';
import { describeErrno, Errno } from '../../native/errno.ts';

/** Takes the positive number. */
export function describeListenFailure(errno: number, address: Address): string {
  return address.kind === 'pipe' ? pipeFailure(errno, address) : portFailure(errno, address);
}

function portFailure(errno: number, { ip, port }: IpAddress): string {
  const reason = describeErrno(errno);
  switch (errno) {
    case Errno.EADDRINUSE:
      return `${reason}; \`ss -ltnp sport = :${port}\` shows who listens there`;
    case Errno.EACCES:
      return `${reason}; a port this low needs CAP_NET_BIND_SERVICE`;
    case Errno.EADDRNOTAVAIL:
      return `${reason}; \`ip address\` shows what it has, and ${ip.includes(':') ? '::' : '0.0.0.0'} stands for all of them`;
    case Errno.EAFNOSUPPORT:
      return ip.includes(':') ? `${reason}; this machine has no IPv6` : reason;
    case Errno.EMFILE:
      return `${reason}; raise the limit of this process (ulimit -n)`;
    default:
      return reason;
  }
}

/** libuv tells of a folder that is not there as of one that is closed (`EACCES`). */
function pipeFailure(errno: number, { path }: PipeAddress): string {
  const reason = describeErrno(errno);
  if (path.startsWith('@')) {
    const shown = '; `ss -lxp` shows who listens there';
    return errno === Errno.EADDRINUSE ? reason + shown : reason;
  }
  const folder = dirname(path);
  const isAbsent = errno === Errno.ENOENT || errno === Errno.EACCES;
  if (isAbsent && kindOf(folder) === 'nothing') return `there is no folder ${folder}; make it`;
  switch (errno) {
    case Errno.EADDRINUSE:
      if (kindOf(path) === 'other') return 'a file is there that is no socket; remove it, or name another path';
      return `${reason}; \`ss -lxp src ${path}\` shows who listens there`;
    case Errno.EACCES:
      return `${reason}; let uid ${process.geteuid!()} write in ${folder}`;
    case Errno.EROFS:
      return `${reason}; mount a folder there that can be written, or name another path`;
    default:
      return reason;
  }
}

function kindOf(path: string): 'nothing' | 'hidden' | 'socket' | 'other' {
  try {
    return statSync(path).isSocket() ? 'socket' : 'other';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'nothing' : 'hidden';
  }
}
