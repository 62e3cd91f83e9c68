// Pages of files that are mapped and only read: code and constants of the node binary, most of which a start needs once. They
// are the page cache's, which all processes share, and are counted as resident in each. What is needed again comes back by a
// fault that reads no disk.
//
// https://man7.org/linux/man-pages/man2/madvise.2.html, MADV_DONTNEED; https://man7.org/linux/man-pages/man5/proc_pid_smaps.5.html

import { existsSync, readFileSync } from 'node:fs';
import { declare, outcome } from './libc.ts';

export interface FileMapping {
  readonly address: number;
  readonly length: number;
  readonly residentBytes: number;
}

/** Unmaps such pages of this process until they are needed again. How many bytes were resident; 0 where the kernel does not tell. */
export function dropFilePages(): number {
  if (!existsSync(SMAPS)) return 0;
  let bytes = 0;
  for (const { address, length, residentBytes } of unwrittenFiles(readFileSync(SMAPS, 'latin1'))) {
    if (outcome(sysMadvise(address, length, MADV_DONTNEED)) === 0) bytes += residentBytes;
  }
  return bytes;
}

/**
 * The large mappings of files in the text of `/proc/…/smaps` of which no page is other than in its file: what was written,
 * a relocation for example, would be lost.
 */
export function unwrittenFiles(smaps: string): FileMapping[] {
  const found: FileMapping[] = [];
  for (const text of smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const [, from, to] = FILE_HEAD.exec(text) ?? [];
    const residentBytes = kibibytes(text, 'Rss') * 1024;
    if (from === undefined || to === undefined || !(residentBytes >= SMALLEST_BYTES)) continue;
    if (kibibytes(text, 'Anonymous') !== 0 || kibibytes(text, 'Private_Dirty') !== 0) continue;
    const address = Number.parseInt(from, 16);
    found.push({ address, length: Number.parseInt(to, 16) - address, residentBytes });
  }
  return found;
}

/** NaN when it is not said. */
function kibibytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(text)?.[1]);
}

const SMAPS = '/proc/self/smaps';
/** `from-to r-xp offset device inode /path`: readable, and not writable. */
const FILE_HEAD = /^([0-9a-f]+)-([0-9a-f]+) r-[x-][ps] [0-9a-f]+ \S+ \d+ +\//;
const SMALLEST_BYTES = 1024 * 1024;
const MADV_DONTNEED = 4;

const sysMadvise = declare('int', 'madvise', ['uint64_t', 'size_t', 'int']) as (
  address: number,
  length: number,
  advice: number,
) => number;
