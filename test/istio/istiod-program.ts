// Istio's own control plane as one program without Kubernetes, built from the Go sources beside this repository
// (`../shared/istiod`) where they are.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const ROOT = join(import.meta.dirname, '../..');
const SOURCE = join(ROOT, '../shared/istiod');
const CACHE = join(ROOT, 'node_modules/.cache/istiod-lab');
/** Below what the runner allows a test file; before a merge enough for what Go has compiled already, and no more. */
const LONGEST_BUILD_MS = process.env['CI'] === undefined ? 200_000 : 45_000;

export type IstiodProgram = { readonly path: string } | { readonly missing: string };

/** Builds it when its sources are new. Throws an Error with the compiler's words when they cannot be built. */
export async function findIstiod(): Promise<IstiodProgram> {
  if (!existsSync(join(SOURCE, 'main.go'))) return { missing: 'no sources of istiod-lab in ../shared/istiod' };
  const path = join(CACHE, `istiod-lab-${sourceHash()}`);
  if (existsSync(path)) return { path };
  if (spawnSync('go', ['version']).status !== 0) return { missing: 'Go, which builds istiod-lab, is not in PATH' };
  mkdirSync(CACHE, { recursive: true });
  return (await build(path)) ? { path } : { missing: 'istiod-lab is half built (minutes, once): run this again' };
}

function sourceHash(): string {
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE, file)));
  return hash.digest('hex').slice(0, 16);
}

/** False when it would take too long; Go keeps what it has compiled, so that the next build goes on from there. */
async function build(path: string): Promise<boolean> {
  const unfinished = `${path}.${process.pid}`;
  const go = spawn('go', ['build', '-o', unfinished, '.'], {
    cwd: SOURCE,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: LONGEST_BUILD_MS,
  });
  const [errors, [code, signal]] = await Promise.all([text(go.stderr), once(go, 'close')]);
  if (signal !== null) return false;
  if (code !== 0) throw new Error(`go cannot build istiod-lab: ${errors.trim()}`);
  renameSync(unfinished, path);
  return true;
}
