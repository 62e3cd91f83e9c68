// Error numbers of Linux (include/uapi/asm-generic/errno*.h): the same on x86-64 and arm64, which are what we run on.
// Foreign calls return them negated; these tables turn them into words for operators.

export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ELOOP: 40,
  EPROTO: 71,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
} as const;

/** `ECONNREFUSED`; `errno 999` for a number that is not in the table. Takes the positive number. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** `connection refused`; `errno 999` for a number that is not in the table. Takes the positive number. */
export function describeErrno(errno: number): string {
  const name = NAMES.get(errno);
  return name === undefined ? `errno ${errno}` : DESCRIPTIONS[name];
}

type ErrnoName = keyof typeof Errno;

const NAMES: ReadonlyMap<number, ErrnoName> = new Map(
  (Object.keys(Errno) as ErrnoName[]).map((name) => [Errno[name], name]),
);

const DESCRIPTIONS: Readonly<Record<ErrnoName, string>> = {
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  EINTR: 'interrupted by a signal',
  EIO: 'input/output error',
  EBADF: 'not an open file descriptor',
  EAGAIN: 'would block',
  ENOMEM: 'out of memory',
  EACCES: 'permission denied',
  EFAULT: 'bad memory address',
  EEXIST: 'file exists',
  ENOTDIR: 'not a directory',
  EINVAL: 'invalid argument',
  ENFILE: 'too many open files in the system',
  EMFILE: 'too many open files',
  ENOSPC: 'no space left',
  EPIPE: 'the peer reads no more',
  ENAMETOOLONG: 'path too long',
  ELOOP: 'too many symbolic links',
  EPROTO: 'protocol error',
  ENOTSOCK: 'not a socket',
  EDESTADDRREQ: 'destination address required',
  EMSGSIZE: 'message too long',
  EPROTOTYPE: 'wrong protocol for this socket',
  ENOPROTOOPT: 'socket option not available',
  EPROTONOSUPPORT: 'protocol not supported',
  EOPNOTSUPP: 'operation not supported',
  EAFNOSUPPORT: 'address family not supported',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'address not available on this machine',
  ENETDOWN: 'network is down',
  ENETUNREACH: 'network unreachable',
  ECONNABORTED: 'connection aborted',
  ECONNRESET: 'connection reset by peer',
  ENOBUFS: 'no buffer space',
  EISCONN: 'already connected',
  ENOTCONN: 'not connected',
  ETIMEDOUT: 'connection timed out',
  ECONNREFUSED: 'connection refused',
  EHOSTDOWN: 'host is down',
  EHOSTUNREACH: 'no route to host',
  EALREADY: 'already in progress',
  EINPROGRESS: 'in progress',
};
