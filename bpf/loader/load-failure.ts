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
 * The failure of a system call: `attempt` ('attach or_connect4 to /sys/fs/cgroup/a') and `errno`, negated or not. Missing
 * capabilities look alike for every call of bpf(2), so their way out is written here.
 */
export function systemFailure(attempt: string, errno: number): LoadFailure {
  const number = Math.abs(errno);
  const reason = `cannot ${attempt}: ${describeErrno(number)} (${errnoName(number)})`;
  if (number === Errno.EPERM) return { reason, wayOut: CAPABILITIES };
  if (number === Errno.EMFILE) return { reason, wayOut: 'raise the limit of open files (ulimit -n)' };
  return { reason };
}

/** The failure as people read it: reason and way out. */
export function failureText({ reason, wayOut }: LoadFailure): string {
  return wayOut === undefined ? reason : `${reason}; ${wayOut}`;
}

const CAPABILITIES = 'give the process CAP_BPF and CAP_NET_ADMIN (before Linux 5.8: CAP_SYS_ADMIN)';
