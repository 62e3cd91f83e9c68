// Where Envoy is on this machine, if it is.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Answers of another version may differ for reasons that are nobody's here. */
const VERSION = '1.40.';
const INSTALLED_BY_BENCH = join(import.meta.dirname, '../../bench/.cache/envoy/envoy/_bin/envoy');

export type EnvoyBinary = { readonly path: string } | { readonly missing: string };

/** ENVOY_PATH, else `envoy` in PATH, else what `npm run bench` installed. */
export function findEnvoy(): EnvoyBinary {
  const named = process.env['ENVOY_PATH'];
  const inPath = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'envoy'));
  const candidates = named === undefined || named === '' ? [...inPath, INSTALLED_BY_BENCH] : [named];
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) {
    return { missing: `no Envoy ${VERSION}x in ENVOY_PATH, PATH or bench/.cache (npm run bench installs it)` };
  }
  const run = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const version = /\/(\d+\.\d+\.\d+)[^/]*\//.exec(run.stdout ?? '')?.[1];
  if (version?.startsWith(VERSION)) return { path };
  return { missing: `${path} is Envoy ${version ?? 'of an unknown version'}, the comparison is with ${VERSION}x` };
}
