// Cgroups that look like those of kubelet, below one of the test's own.

import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { temporaryCgroup } from './bpf-environment.ts';

export interface PodFolder {
  readonly uid: string;
  /** Of the pod's cgroup. */
  readonly path: string;
  container(name: string): string;
  /** Removes the pod with its containers, whose processes must have left. */
  remove(): void;
}

export class PodCgroups {
  readonly root: string;
  #count = 0;

  constructor(t: Test, name: string) {
    this.root = temporaryCgroup(t, name);
    mkdirSync(join(this.root, 'kubepods'));
    t.teardown(() => removeTree(join(this.root, 'kubepods')));
  }

  pod(): PodFolder {
    this.#count++;
    const uid = `00000000-0000-4000-8000-${String(this.#count).padStart(12, '0')}`;
    const path = join(this.root, 'kubepods', `pod${uid}`);
    mkdirSync(path);
    return {
      uid,
      path,
      container: (name) => {
        mkdirSync(join(path, name));
        return join(path, name);
      },
      remove: () => removeTree(path),
    };
  }
}

/** Moves this process into `folder`, and back to where it was after `t`. */
export function moveInto(t: Test, folder: string, cgroupRoot: string): void {
  const before = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))![1]!;
  writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
  t.teardown(() => writeFileSync(join(cgroupRoot, before, 'cgroup.procs'), String(process.pid)));
}

function removeTree(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  for (const name of names) removeTree(join(folder, name));
  rmdirSync(folder);
}
