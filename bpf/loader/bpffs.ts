// bpffs, the filesystem in which BPF objects can be pinned. Containers mostly have none, and what has none is told how to get
// it; nothing here mounts.

import { statfsSync } from 'node:fs';
import { type LoadFailure, systemFailure } from './load-failure.ts';
import { type Mount, mountsOfType } from './mounts.ts';

export interface Bpffs {
  readonly path: string;
}

/** The bpffs at `given`, or the one of the mount table that can be written to; a failure says what is missing. */
export function findBpffs(given?: string, mounts: readonly Mount[] = mountsOfType('bpf')): Bpffs | LoadFailure {
  if (given !== undefined) return checkGiven(given);
  const found = mounts.find(({ path }) => path === USUAL_PATH) ?? mounts.find(({ isReadOnly }) => !isReadOnly);
  if (found === undefined && mounts.length === 0) {
    return { reason: 'bpffs is not mounted, so nothing can be pinned', wayOut: MOUNT };
  }
  const { path, isReadOnly } = found ?? mounts[0]!;
  if (!isReadOnly) return { path };
  return {
    reason: `bpffs at ${path} is mounted read-only, so nothing can be pinned`,
    wayOut: `remount it: mount -o remount,rw ${path}`,
  };
}

const USUAL_PATH = '/sys/fs/bpf';
/** BPF_FS_MAGIC (include/uapi/linux/magic.h). */
const MAGIC = 0xcafe4a11;
const MOUNT = `mount it: mount -t bpf bpf ${USUAL_PATH} (in Kubernetes: a hostPath volume of ${USUAL_PATH})`;

function checkGiven(path: string): Bpffs | LoadFailure {
  try {
    if (statfsSync(path).type === MAGIC) return { path };
  } catch (error) {
    return systemFailure(`look at ${path}`, (error as NodeJS.ErrnoException).errno ?? 0);
  }
  return {
    reason: `${path} is not a bpffs, so nothing can be pinned there`,
    wayOut: `mount one: mount -t bpf bpf ${path}`,
  };
}
