// The sidecar captures connections: by programs of its own, by those of the node's agent, by rules. The program beside this
// file runs in namespaces of its own for each.

import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { rulesProblem } from '../support/redirection-rules.ts';

t.setTimeout(900_000);

const program = join(import.meta.dirname, 'capture-in-namespace.ts');

const namespaces = bpfSkipReason('root', 'cgroup2', 'namespaces');
const programs = namespaces ?? bpfSkipReason('libbpf', 'objects', 'bpffs');
const problems = {
  ebpf: programs,
  agent: programs,
  iptables: namespaces ?? rulesProblem(),
};

// What is pinned lies in a file system of the namespace's own, at the usual place.
const prepare = 'mount -t bpf bpf /sys/fs/bpf && exec "$0" "$@"';

// Each in a pod and namespaces of its own: while one waits another goes on.
t.jobs = 3;

for (const [mode, problem] of Object.entries(problems)) {
  if (problem !== undefined) t.pass(`capture by ${mode}`, { skip: problem });
  else {
    const command = ['--net', '--mount', 'sh', '-c', prepare, process.execPath, program, mode];
    t.spawn('unshare', command, { timeout: 900_000 }, `capture by ${mode}`);
  }
}
