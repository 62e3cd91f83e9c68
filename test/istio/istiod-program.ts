// Istio's own control plane as one program without Kubernetes, built from the Go sources beside this repository
// (`../shared/istiod`) where they are; and Istio's agent, as the same version of Istio has it.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const ROOT = join(import.meta.dirname, '../..');
const SOURCE = join(ROOT, '../shared/istiod');
const CACHE = join(ROOT, 'node_modules/.cache/istiod-lab');
/** For all builds of a test file: below what the runner allows it; before a merge enough for what Go has compiled already, and no more. */
const LONGEST_BUILD_MS = process.env['CI'] === undefined ? 200_000 : 45_000;

export type IstioProgram = { readonly path: string } | { readonly missing: string };

/** Builds it when its sources are new. Throws an Error with the compiler's words when they cannot be built. */
export async function findIstiod(): Promise<IstioProgram> {
  const program = await find('istiod-lab', () => ['.']);
  if ('problem' in program) throw new Error(program.problem);
  return program;
}

/** pilot-agent. Some of what it is made of is no part of istiod: where Go cannot get that, it is missing. */
export async function findPilotAgent(): Promise<IstioProgram> {
  const program = await find('pilot-agent', () => {
    // Go writes down what else it needs: in a copy, since the sources are somebody else's.
    const module = join(CACHE, 'pilot-agent.mod');
    copyFileSync(join(SOURCE, 'go.mod'), module);
    copyFileSync(join(SOURCE, 'go.sum'), join(CACHE, 'pilot-agent.sum'));
    return ['-mod=mod', `-modfile=${module}`, 'istio.io/istio/pilot/cmd/pilot-agent'];
  });
  return 'problem' in program ? { missing: program.problem } : program;
}

/** The folder of Istio's sources, from which its agent's template of a bootstrap comes. */
export function istioSources(): string {
  const listed = spawnSync('go', ['list', '-m', '-f', '{{.Dir}}', 'istio.io/istio'], { cwd: SOURCE, encoding: 'utf8' });
  if (listed.status !== 0) throw new Error(`go does not know where Istio's sources are: ${listed.stderr}`);
  return listed.stdout.trim();
}

/** `packageFlags` say what is built. */
async function find(
  name: string,
  packageFlags: () => readonly string[],
): Promise<IstioProgram | { readonly problem: string }> {
  if (!existsSync(join(SOURCE, 'main.go'))) return { missing: `no sources of ${name} in ../shared/istiod` };
  const path = join(CACHE, `${name}-${sourceHash()}`);
  if (existsSync(path)) return { path };
  if (spawnSync('go', ['version']).status !== 0) return { missing: `Go, which builds ${name}, is not in PATH` };
  mkdirSync(CACHE, { recursive: true });
  return build(name, path, packageFlags());
}

function sourceHash(): string {
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE, file)));
  return hash.digest('hex').slice(0, 16);
}

/** Go keeps what it has compiled, so that a build that takes too long goes on from there the next time. */
async function build(
  name: string,
  path: string,
  packageFlags: readonly string[],
): Promise<IstioProgram | { readonly problem: string }> {
  const unfinished = `${path}.${process.pid}`;
  const go = spawn('go', ['build', '-o', unfinished, ...packageFlags], {
    cwd: SOURCE,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: Math.max(1, Math.ceil(LONGEST_BUILD_MS - performance.now())),
  });
  const [errors, [code, signal]] = await Promise.all([text(go.stderr), once(go, 'close')]);
  if (signal !== null) return { missing: `${name} is half built (minutes, once): run this again` };
  if (code !== 0) return { problem: `go cannot build ${name}: ${errors.trim()}` };
  renameSync(unfinished, path);
  return { path };
}
