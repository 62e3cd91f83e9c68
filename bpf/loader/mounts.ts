// Where the kernel's filesystems are mounted (/proc/self/mountinfo, proc(5)). Never a usual path: cgroup2 is at
// /sys/fs/cgroup on one machine and at /sys/fs/cgroup/unified on the next, and a container has bpffs or has it not.

import { readFileSync } from 'node:fs';

export interface Mount {
  readonly path: string;
  /** `cgroup2`, `bpf`. */
  readonly type: string;
  readonly isReadOnly: boolean;
  /** The folder of the filesystem that is seen at `path`: `/` for all of it. */
  readonly root: string;
}

/** Mounts of `type` in the order of mounting; none when /proc is not there. */
export function mountsOfType(type: string, mountInfo: string = readMountInfo()): readonly Mount[] {
  return mountInfo
    .split('\n')
    .map(parseMount)
    .filter((mount) => mount?.type === type) as Mount[];
}

function readMountInfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** `36 35 98:0 /root /path rw,noatime master:1 - type source rw`; optional fields before the dash. */
function parseMount(line: string): Mount | undefined {
  const [before, after] = line.split(' - ', 2);
  const fields = before!.split(' ');
  const [type, , superOptions] = (after ?? '').split(' ');
  if (fields.length < 6 || type === undefined || superOptions === undefined) return undefined;
  const isReadOnly = [fields[5]!, superOptions].some((options) => options.split(',').includes('ro'));
  return { path: unescapePath(fields[4]!), type, isReadOnly, root: unescapePath(fields[3]!) };
}

/** Space, tab, newline and backslash are written in octal. */
function unescapePath(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
