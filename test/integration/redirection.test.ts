// Connections that the kernel redirects, as in a pod with Istio's iptables rules: the program beside this file runs in a
// network namespace of its own, where it may have rules.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

t.setTimeout(900_000);

/** Applications of the pod have these sources: the proxy's own connections must not be redirected again. */
const rules = [
  'ip link set lo up',
  'iptables -t nat -A OUTPUT -p tcp -s 10.9.0.100 -j REDIRECT --to-ports 15001',
  'iptables -t nat -A OUTPUT -p tcp -s 10.9.0.101 -j REDIRECT --to-ports 15006',
].join(' && ');

const program = join(import.meta.dirname, 'redirection-in-namespace.ts');
const tried = spawnSync('unshare', ['--net', 'sh', '-c', rules], { encoding: 'utf8' });

if (tried.status !== 0) {
  t.pass('redirected connections', {
    skip: `no rules in a network namespace: ${tried.error?.message ?? tried.stderr.trim()}`,
  });
} else {
  const command = ['--net', 'sh', '-c', `${rules} && exec "$0" "$@"`, process.execPath, program];
  t.spawn('unshare', command, { timeout: 900_000 }, 'in a network namespace');
}
