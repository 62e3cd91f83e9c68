// Whether this process is the machine's root. Uid 0 alone does not say so: in a user namespace, and in a container as engines
// make them, it may neither load programs nor make namespaces, and has no other users to change to.

import { readFileSync } from 'node:fs';
import { effectiveCapabilities } from '../../native/capabilities.ts';

/** Why not, in a few words; undefined when it is. tap's `skip` takes it as it is. */
export function rootProblem(): string | undefined {
  if (process.geteuid!() !== 0) return 'not root';
  if (!EVERY_USER.test(readFileSync('/proc/self/uid_map', 'latin1'))) return 'root of a user namespace only';
  const has = effectiveCapabilities();
  const missing = NEEDED.filter((name) => !has.has(name));
  return missing.length === 0 ? undefined : `root without ${missing.join(' and ')}`;
}

/** user_namespaces(7): of the first namespace, where every uid is itself. */
const EVERY_USER = /^\s*0\s+0\s+4294967295\s*$/;

/** CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON where these were not split off. */
const NEEDED = ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN'] as const;
