// As captured-restart.test.ts under the policy `open`, of which nothing is pinned: what is not handed over is gone.

import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason } from '../support/bpf-environment.ts';

t.setTimeout(900_000);

const program = join(import.meta.dirname, 'captured-restart-in-namespace.ts');
const problem = bpfSkipReason('root', 'cgroup2', 'namespaces', 'libbpf', 'objects', 'bpffs');

// What is pinned lies in a file system of the namespace's own, at the usual place.
const prepare = 'mount -t bpf bpf /sys/fs/bpf && exec "$0" "$@"';

if (problem !== undefined) t.pass('captured through hot restarts, policy open', { skip: problem });
else {
  const command = ['--net', '--mount', 'sh', '-c', prepare, process.execPath, program, 'open'];
  t.spawn('unshare', command, { timeout: 900_000 }, 'captured through hot restarts, policy open');
}
