// Which files this process has open.

import { readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** Names of files in a folder, one for each descriptor, in order. */
export function openFilesIn(folder: string): readonly string[] {
  const names: string[] = [];
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      names.push(readlinkSync(`/proc/self/fd/${descriptor}`));
    } catch (error) {
      // The folder that is being read was one of them.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return names
    .filter((name) => name.startsWith(`${folder}/`))
    .map((name) => basename(name))
    .sort();
}
