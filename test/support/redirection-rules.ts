// Whether rules of iptables can be tried here, in a network namespace of a test's own.

import { spawnSync } from 'node:child_process';

export function rulesProblem(): string | undefined {
  const tried = spawnSync('unshare', ['--net', 'iptables', '-t', 'nat', '-S'], { encoding: 'utf8' });
  return tried.status === 0
    ? undefined
    : `no rules in a network namespace: ${tried.error?.message ?? tried.stderr.trim()}`;
}
