// Memory of a proxy, summed over its processes. RSS is what operators see and what the goals speak of; PSS and the
// anonymous part tell how much of it is the program's text, which processes of one image share.
import { readdirSync, readFileSync } from 'node:fs';
import { processTree } from './process-cpu.ts';

export type Memory = { readonly rssBytes: number; readonly anonymousBytes: number; readonly pssBytes: number };

export function readMemory(pid: number): Memory {
  let rssBytes = 0;
  let anonymousBytes = 0;
  let pssBytes = 0;
  for (const member of processTree(pid)) {
    const status = readFileSync(`/proc/${member}/status`, 'utf8');
    rssBytes += parseKibibytes(status, 'VmRSS');
    anonymousBytes += parseKibibytes(status, 'RssAnon');
    pssBytes += parseKibibytes(readFileSync(`/proc/${member}/smaps_rollup`, 'utf8'), 'Pss');
  }
  return { rssBytes, anonymousBytes, pssBytes };
}

// A "Name:   123 kB" line of /proc/PID/status or smaps_rollup, in bytes.
export function parseKibibytes(text: string, name: string): number {
  const amount = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  if (amount === undefined) throw new Error(`no ${name} line`);
  return Number(amount) * 1024;
}

export function countFileDescriptors(pid: number): number {
  return processTree(pid).reduce((sum, member) => sum + readdirSync(`/proc/${member}/fd`).length, 0);
}
