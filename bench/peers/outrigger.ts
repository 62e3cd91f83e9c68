// outrigger as it is shipped: the bundle through bin/outrigger, never the .ts files (stripping types at start costs
// 60 ms and 34 MB), with the very bootstrap and flags that Envoy gets.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { envoyBootstrap } from './envoy-bootstrap.ts';
import type { Peer, PeerSetup } from './peer.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND = join(ROOT, 'bin', 'outrigger');

export const outrigger: Peer = { name: 'outrigger', install, version, prepare };

// Asked to run rather than looked for: a dist/ that a build left half made is not a program.
function install(): void {
  const outcome = spawnSync(COMMAND, ['--version'], { encoding: 'utf8' });
  if (outcome.status === 0) return;
  const reason = outcome.error?.message ?? outcome.stderr.trim().split('\n')[0];
  throw new Error(`bin/outrigger does not run (${reason}); npm ci makes its bundle`);
}

function version(): string {
  return execFileSync(COMMAND, ['--version'], { encoding: 'utf8' }).trim();
}

function prepare(setup: PeerSetup): readonly string[] {
  const bootstrap = join(setup.directory, 'bootstrap.json');
  writeFileSync(bootstrap, JSON.stringify(envoyBootstrap(setup)));
  const common = [COMMAND, '-c', bootstrap, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warning'];
  const { samplingFile } = setup.telemetry ?? {};
  if (samplingFile !== undefined) {
    const path = join(setup.directory, 'sampling.yaml');
    writeFileSync(path, samplingFile);
    return [...common, '--sampling-config', path];
  }
  // What an earlier round was sent would be served before this one's push.
  return setup.controlPlanePort === undefined ? common : [...common, '--no-config-cache'];
}
