// outrigger as it is shipped: the bundle through bin/outrigger, never the .ts files (stripping types at start costs
// 60 ms and 34 MB), with the very bootstrap and flags that Envoy gets.
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer, PeerSetup } from './peer.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND = join(ROOT, 'bin', 'outrigger');

export const outrigger: Peer = { name: 'outrigger', install, version, prepare };

function install(): void {
  if (!existsSync(COMMAND) || !existsSync(join(ROOT, 'dist'))) {
    throw new Error('bin/outrigger or its bundle in dist/ is missing; npm ci makes it');
  }
}

function version(): string {
  return execFileSync(COMMAND, ['--version'], { encoding: 'utf8' }).trim();
}

function prepare(setup: PeerSetup): readonly string[] {
  const bootstrap = join(setup.directory, 'bootstrap.json');
  writeFileSync(bootstrap, JSON.stringify(envoyBootstrap(setup)));
  return [COMMAND, '-c', bootstrap, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning'];
}
