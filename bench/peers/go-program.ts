// Programs in Go that outrigger is tested against: small mains around libraries of others, each in a folder of test/.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const TEST = join(import.meta.dirname, '..', '..', 'test');
const CACHE = join(import.meta.dirname, '..', '.cache');
// Below what the test runner allows a file; before a merge enough for what Go has downloaded already, and no more.
const LONGEST_BUILD_MS = process.env['CI'] === undefined ? 200_000 : 90_000;

// Path of the program whose source is the folder `name` of test/, built when its source is new (30 s to 2 minutes, then
// at once). Throws an Error with one sentence when Go is missing or cannot build it.
export function buildGoProgram(name: string): string {
  const source = join(TEST, name);
  const hash = createHash('sha256');
  for (const file of readdirSync(source).filter((file) => /\.(go|mod|sum)$/.test(file))) {
    hash.update(file).update(readFileSync(join(source, file)));
  }
  const binary = join(CACHE, `${name}-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  if (!isGoThere()) throw new Error(`Go is needed to build test/${name}`);
  mkdirSync(CACHE, { recursive: true });
  const limits = { timeout: LONGEST_BUILD_MS, encoding: 'utf8' } as const;
  const outcome = spawnSync('go', ['build', '-o', binary, '.'], { cwd: source, ...limits });
  if (outcome.signal !== null) throw new Error(`test/${name} is half built: run this again`);
  if (outcome.status !== 0) throw new Error(`go could not build test/${name}: ${outcome.stderr.trim()}`);
  return binary;
}

function isGoThere(): boolean {
  return spawnSync('go', ['version']).status === 0;
}
