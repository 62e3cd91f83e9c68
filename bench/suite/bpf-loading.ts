// How long loading and attaching everything keeps a start waiting.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { mountsOfType } from '../../bpf/loader/mounts.ts';
import type { LoadingOptions, LoadingOutcome } from '../load/bpf-loading.ts';

export type LoadingResult = {
  // Everything, by process.
  readonly allMs: readonly number[];
  // Of that, what redirection alone needs.
  readonly redirectionMs: readonly number[];
};

const PROGRAM = join(import.meta.dirname, '..', 'load', 'bpf-loading.ts');
const TIMES = 20;

export function measureLoading(): LoadingResult {
  const mount = mountsOfType('cgroup2').find(({ isReadOnly }) => !isReadOnly);
  if (mount === undefined) throw new Error('no cgroup2 is mounted for writing');
  const top = join(mount.path, `outrigger-bench-${process.pid}`);
  const options: LoadingOptions = { application: join(top, 'application'), sidecar: join(top, 'sidecar') };
  const folders = [top, options.application, options.sidecar];
  for (const folder of folders) mkdirSync(folder);
  try {
    const outcomes = Array.from({ length: TIMES }, () => loadOnce(options));
    const allMs = outcomes.map(({ ms }) => ms);
    console.log(`loading: ${allMs.map((ms) => ms.toFixed(1)).join(' ')} ms`);
    return { allMs, redirectionMs: outcomes.map(({ redirectionMs }) => redirectionMs) };
  } finally {
    for (const folder of folders.toReversed()) rmdirSync(folder);
  }
}

function loadOnce(options: LoadingOptions): LoadingOutcome {
  const command = ['--net', process.execPath, PROGRAM, JSON.stringify(options)];
  return JSON.parse(execFileSync('unshare', command, { encoding: 'utf8' })) as LoadingOutcome;
}
