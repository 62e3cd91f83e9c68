// Hot restarts of a sidecar that captures by its own programs, of which nothing is pinned under the policy `open`: what is not
// handed over is gone. The program beside this file runs in namespaces of its own for each policy.

import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason } from '../support/bpf-environment.ts';

t.setTimeout(840_000);

const program = join(import.meta.dirname, 'captured-restart-in-namespace.ts');
const problem = bpfSkipReason('root', 'cgroup2', 'namespaces', 'libbpf', 'objects', 'bpffs');

// What is pinned lies in a file system of the namespace's own, at the usual place.
const prepare = 'mount -t bpf bpf /sys/fs/bpf && exec "$0" "$@"';

for (const policy of ['closed', 'open']) {
  if (problem !== undefined) t.pass(`captured through hot restarts, policy ${policy}`, { skip: problem });
  else {
    const command = ['--net', '--mount', 'sh', '-c', prepare, process.execPath, program, policy];
    t.spawn('unshare', command, { timeout: 400_000 }, `captured through hot restarts, policy ${policy}`);
  }
}
