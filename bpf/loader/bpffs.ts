// bpffs, the filesystem in which BPF objects can be pinned. Containers mostly have none, and what has none is told how to get
// it; nothing here mounts.

import { statfsSync } from 'node:fs';
import { type LoadFailure, systemFailure } from './load-failure.ts';
import { type Mount, mountsOfType } from './mounts.ts';

export interface Bpffs {
  readonly path: string;
}

/** The bpffs at `given`, or the one that is mounted; a failure says what is missing. */
export function findBpffs(given?: string, mounts: readonly Mount[] = mountsOfType('bpf')): Bpffs | LoadFailure {
  if (given !== undefined) return checkGiven(given);
  const usual = mounts.find(({ path }) => path === USUAL_PATH);
  const found = usual === undefined ? mounts : [usual];
  if (found.length === 0) return { reason: 'bpffs is not mounted, so nothing can be pinned', wayOut: MOUNT };
  if (found.length > 1) {
    const paths = found.map(({ path }) => path).join(', ');
    return {
      reason: `bpffs is mounted at several places, none of them ${USUAL_PATH}: ${paths}`,
      wayOut: 'name one of them',
    };
  }
  const { path, isReadOnly } = found[0]!;
  if (!isReadOnly) return { path };
  const reason = `bpffs at ${path} is mounted read-only, so nothing can be pinned`;
  return { reason, wayOut: `remount it: mount -o remount,rw ${path}` };
}

/** Nothing can be pinned here: no bpffs is mounted. Where the mounts cannot be read (`/proc` is one), nobody knows. */
export function hasNoBpffs(mounted: (type: string) => readonly Mount[] = mountsOfType): boolean {
  return mounted('proc').length > 0 && mounted('bpf').length === 0;
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
