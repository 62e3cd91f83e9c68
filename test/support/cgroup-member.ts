// This test's process as a member of a cgroup of its own: programs at the cgroup see its sockets, and nobody else's.

import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { AttachTarget } from '../../bpf/loader/attachment.ts';
import { cgroupRoot, temporaryCgroup } from './bpf-environment.ts';

/** Moves the process into a new cgroup, and back after `t`. Sockets belong to where the process was when it made them. */
export function enterCgroup(t: Test, name: string): AttachTarget {
  const path = temporaryCgroup(t, name);
  const before = readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)![1]!;
  const fd = openSync(path, 'r');
  moveTo(path);
  t.teardown(() => {
    moveTo(join(cgroupRoot()!, before));
    closeSync(fd);
  });
  return { kind: 'cgroup', fd, name: path };
}

function moveTo(path: string): void {
  writeFileSync(join(path, 'cgroup.procs'), String(process.pid));
}
