// How long loading and attaching everything keeps a start waiting.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { mountsOfType } from '../../bpf/loader/mounts.ts';
import { compileWhole, makeScript } from '../../build/compiled-code.ts';
import { lazyBuiltins, nativeCalls } from '../../build/late-loading.ts';
import type { LoadingOptions, LoadingOutcome } from '../load/bpf-loading.ts';

export type LoadingResult = {
  // Everything, by process.
  readonly allMs: readonly number[];
  // Of that, what redirection alone needs.
  readonly redirectionMs: readonly number[];
  // CPU for everything.
  readonly cpuMs: readonly number[];
};

const ROOT = join(import.meta.dirname, '../..');
const NAME = 'bpf-loading';
const TIMES = 40;
// As bin/outrigger starts a sidecar.
const HEAP = ['--min-semi-space-size=8', '--max-semi-space-size=8'];

export async function measureLoading(): Promise<LoadingResult> {
  const mount = mountsOfType('cgroup2').find(({ isReadOnly }) => !isReadOnly);
  if (mount === undefined) throw new Error('no cgroup2 is mounted for writing');
  const top = join(mount.path, `outrigger-bench-${process.pid}`);
  const options: LoadingOptions = { application: join(top, 'application'), sidecar: join(top, 'sidecar') };
  const folders = [top, options.application, options.sidecar];
  const shipped = mkdtempSync(join(tmpdir(), 'outrigger-bench-'));
  for (const folder of folders) mkdirSync(folder);
  try {
    const program = await ship(shipped);
    const outcomes = Array.from({ length: TIMES }, () => loadOnce(program, options));
    const allMs = outcomes.map(({ ms }) => ms);
    console.log(`loading: ${allMs.map((ms) => ms.toFixed(1)).join(' ')} ms`);
    return {
      allMs,
      redirectionMs: outcomes.map(({ redirectionMs }) => redirectionMs),
      cpuMs: outcomes.map(({ cpuMs }) => cpuMs),
    };
  } finally {
    for (const folder of folders.toReversed()) rmdirSync(folder);
    rmSync(shipped, { recursive: true });
  }
}

// One file with V8's compiled code beside it, as dist/capture.js (build/bundle.ts); objects and koffi where it looks for them.
async function ship(folder: string): Promise<string> {
  const out = join(folder, 'dist');
  await build({
    entryPoints: { [NAME]: join(ROOT, 'bench/load', `${NAME}.ts`) },
    outdir: out,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'moduleUrl' },
    charset: 'ascii',
    plugins: [lazyBuiltins(), nativeCalls()],
  });
  makeScript(out, NAME);
  compileWhole(out, NAME);
  mkdirSync(join(folder, 'bpf'));
  symlinkSync(join(ROOT, 'bpf/objects'), join(folder, 'bpf/objects'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return join(out, `${NAME}.cjs`);
}

function loadOnce(program: string, options: LoadingOptions): LoadingOutcome {
  const command = ['--net', process.execPath, ...HEAP, program, JSON.stringify(options)];
  return JSON.parse(execFileSync('unshare', command, { encoding: 'utf8' })) as LoadingOutcome;
}
