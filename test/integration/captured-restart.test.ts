// Hot restarts of a sidecar that captures by its own programs, and pins them. The program beside this file runs in namespaces of
// its own.

import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason } from '../support/bpf-environment.ts';

t.setTimeout(900_000);

const program = join(import.meta.dirname, 'captured-restart-in-namespace.ts');
const problem = bpfSkipReason('root', 'cgroup2', 'namespaces', 'libbpf', 'objects', 'bpffs');

// What is pinned lies in a file system of the namespace's own, at the usual place.
const prepare = 'mount -t bpf bpf /sys/fs/bpf && exec "$0" "$@"';

if (problem !== undefined) t.pass('captured through hot restarts, policy closed', { skip: problem });
else {
  const command = ['--net', '--mount', 'sh', '-c', prepare, process.execPath, program, 'closed'];
  t.spawn('unshare', command, { timeout: 900_000 }, 'captured through hot restarts, policy closed');
}
