// What could not be done, for whoever has to mend it: one sentence that can stand in a log line by itself, and where there
// is a way out, that too. Failures here are values: each caller has another step to take (iptables, the next program).

import { describeErrno, Errno, errnoName } from '../../native/errno.ts';

export interface LoadFailure {
  /** One readable sentence, without a full stop: what was attempted, and why it did not work. */
  readonly reason: string;
  /** What a person can do about it. */
  readonly wayOut?: string;
  /** Everything the verifier said, for those who ask. */
  readonly verifierLog?: string;
}

export function isFailure(outcome: unknown): outcome is LoadFailure {
  return typeof outcome === 'object' && outcome !== null && 'reason' in outcome;
}

/**
 * The failure of a system call: `attempt` ('attach or_connect4 to /sys/fs/cgroup/a') and `errno`, negated or not. What is
 * missing looks alike for every call of bpf(2), so the ways out are written here.
 */
export function systemFailure(attempt: string, errno: number): LoadFailure {
  const number = Math.abs(errno);
  const reason = `cannot ${attempt}: ${describeErrno(number)} (${errnoName(number)})`;
  const wayOut = WAYS_OUT.get(number);
  return wayOut === undefined ? { reason } : { reason, wayOut };
}

/** The failure as people read it: reason and way out. */
export function failureText({ reason, wayOut }: LoadFailure): string {
  return wayOut === undefined ? reason : `${reason}; ${wayOut}`;
}

const WAYS_OUT: ReadonlyMap<number, string> = new Map([
  [Errno.EPERM, 'give the process CAP_BPF and CAP_NET_ADMIN (before Linux 5.8: CAP_SYS_ADMIN)'],
  [Errno.EACCES, `run as a user that may write there, or give it to uid ${process.geteuid!()}`],
  [Errno.EROFS, 'mount it for writing (mount -o remount,rw)'],
  [Errno.EMFILE, 'raise the limit of open files (ulimit -n)'],
  [Errno.ENOMEM, "raise the container's limit of memory: maps count to it, before Linux 5.11 to RLIMIT_MEMLOCK"],
]);
