// outrigger with its second engine, uWebSockets.js and undici: the bundle, bootstrap and flags of the first one. Where this
// machine's C library is too old for uWebSockets.js, Node runs with a newer one.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findNewerLibc } from '../../build/newer-libc.ts';
import { outrigger } from './outrigger.ts';
import type { Peer, PeerSetup } from './peer.ts';

const BUNDLE = join(import.meta.dirname, '..', '..', 'dist', 'outrigger.cjs');
// What bin/outrigger sets.
const ENVIRONMENT = ['env', 'MALLOC_MMAP_THRESHOLD_=32768'];
const NODE_FLAGS = ['--min-semi-space-size=8', '--max-semi-space-size=8'];

export const outriggerUws: Peer = { name: 'outrigger-uws', install, version: outrigger.version, prepare };

function install(): void {
  outrigger.install();
  const load = "require('@btc-vision/uwebsockets.js')";
  const [command, ...args] = [...node(), '-e', load];
  const { status, stderr } = spawnSync(command!, args, { encoding: 'utf8', cwd: join(BUNDLE, '..', '..') });
  if (status !== 0) throw new Error(`uWebSockets.js cannot be loaded: ${stderr.trim().split('\n').at(-1)}`);
}

function prepare(setup: PeerSetup): readonly string[] {
  const [, ...flags] = outrigger.prepare(setup);
  return [...ENVIRONMENT, ...node(), ...NODE_FLAGS, BUNDLE, ...flags, '--engine', 'uws'];
}

function node(): readonly string[] {
  const libc = findNewerLibc();
  if ('missing' in libc) throw new Error(`there is no ${libc.missing}`);
  return [...libc.before, process.execPath];
}
