// What is set up is real: the program beside this file runs in namespaces of its own.

import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason } from '../../support/bpf-environment.ts';

const problem = bpfSkipReason('root', 'cgroup2', 'namespaces', 'libbpf', 'objects', 'bpffs');

if (problem !== undefined) t.pass('redirection of our own', { skip: problem });
else {
  const program = join(import.meta.dirname, 'local-redirection-in-namespace.ts');
  const prepare = 'mount -t bpf bpf /sys/fs/bpf && exec "$0" "$@"';
  t.spawn('unshare', ['--net', '--mount', 'sh', '-c', prepare, process.execPath, program], {}, 'in namespaces');
}
