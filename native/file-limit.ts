// How many descriptors the process may have (getrlimit(2), RLIMIT_NOFILE). A proxy needs two a request in flight, and the
// soft limit that containers start with is often 1,024; the hard limit is what the operator allows.

import { declare, outcome } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

export interface FileLimit {
  /** What holds now. */
  readonly soft: number;
  /** What the process may raise `soft` to. 2^64-1 stands for no limit. */
  readonly hard: number;
}

/** The limits, or a negated errno. */
export function fileLimit(): FileLimit | number {
  const result = outcome(sysGetrlimit(RLIMIT_NOFILE, limits.address));
  if (result < 0) return result;
  return { soft: Number(limits.bytes.readBigUInt64LE(0)), hard: Number(limits.bytes.readBigUInt64LE(8)) };
}

/** Raises the soft limit to the hard one. Returns 0 or a negated errno. */
export function raiseFileLimit(): number {
  const result = outcome(sysGetrlimit(RLIMIT_NOFILE, limits.address));
  if (result < 0) return result;
  limits.bytes.copy(limits.bytes, 0, 8, 16);
  return outcome(sysSetrlimit(RLIMIT_NOFILE, limits.address));
}

/** Sets the soft limit, at most the hard one. Returns 0 or a negated errno. */
export function setSoftFileLimit(soft: number): number {
  const result = outcome(sysGetrlimit(RLIMIT_NOFILE, limits.address));
  if (result < 0) return result;
  limits.bytes.writeBigUInt64LE(BigInt(soft), 0);
  return outcome(sysSetrlimit(RLIMIT_NOFILE, limits.address));
}

/** struct rlimit: soft, hard. */
const limits = new NativeBuffer(16);

const RLIMIT_NOFILE = 7;

type LimitCall = (resource: number, address: number) => number;
const sysGetrlimit = declare('int', 'getrlimit', ['int', 'uint64_t']) as LimitCall;
const sysSetrlimit = declare('int', 'setrlimit', ['int', 'uint64_t']) as LimitCall;
