// What tests of BPF need of the machine, asked for by name, so that a test runs or says in one line why it does not.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { mountsOfType } from '../../bpf/loader/mounts.ts';
import { createMap, MapType } from '../../native/bpf-map.ts';
import { describeErrno } from '../../native/errno.ts';
import { lockFile } from '../../native/file-lock.ts';
import { libbpfProblem } from '../../native/libbpf.ts';
import { rootProblem } from './privileges.ts';

/**
 * `objects`: bpf/objects built of the sources as they are now, which also needs clang. `clang`: programs of the test's own
 * can be compiled. `bpffs`: one can be mounted. `namespaces`: of networks and mounts, to be made and furnished.
 */
export type BpfNeed = 'root' | 'cgroup2' | 'libbpf' | 'clang' | 'objects' | 'bpffs' | 'namespaces';

/** Why a test cannot run here, in one line; undefined when it can. tap's `skip` takes it as it is. */
export function bpfSkipReason(...needs: readonly BpfNeed[]): string | undefined {
  for (const need of needs) {
    const reason = reasons.get(need) ?? REASONS[need]() ?? '';
    reasons.set(need, reason);
    if (reason !== '') return reason;
  }
  return undefined;
}

/** A new cgroup below cgroup2's root, with a name of this process's own; removed, when it is empty, after `t`. */
export function temporaryCgroup(t: Test, name: string): string {
  const root = cgroupRoot()!;
  if (!areStaleRemoved) removeStaleCgroups(root);
  areStaleRemoved = true;
  const path = join(root, `outrigger-test-${process.pid}-${name}`);
  mkdirSync(path);
  t.teardown(() => rmdirSync(path));
  return path;
}

let areStaleRemoved = false;

/**
 * What killed tests and benchmarks left. Only of processes that are gone, and old: in another PID namespace a process may
 * live by a number that nobody has here. Cgroups with processes stay, since the kernel refuses.
 */
function removeStaleCgroups(root: string): void {
  for (const name of readdirSync(root)) {
    const processId = /^outrigger-(?:test|bench)-(\d+)/.exec(name)?.[1];
    if (processId === undefined || existsSync(`/proc/${processId}`)) continue;
    const path = join(root, name);
    const madeAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - madeAtMs > STALE_AFTER_MS) spawnSync('find', [path, '-depth', '-type', 'd', '-delete']);
  }
}

const STALE_AFTER_MS = 10 * 60_000;

/** A bpffs of its own in a temporary folder; unmounted, with all that is pinned in it, after `t`. */
export function temporaryBpffs(t: Test, options = 'mode=0700'): string {
  const path = mkdtempSync(join(tmpdir(), 'outrigger-bpffs-'));
  execFileSync('mount', ['-t', 'bpf', '-o', options, 'bpf', path]);
  t.teardown(() => {
    execFileSync('umount', ['--lazy', path]);
    rmdirSync(path);
  });
  return path;
}

/** Where cgroup2 is mounted for writing; undefined when it is not. */
export function cgroupRoot(): string | undefined {
  return mountsOfType('cgroup2').find(({ isReadOnly }) => !isReadOnly)?.path;
}

const ROOT = join(import.meta.dirname, '../..');
const PROGRAMS = join(ROOT, 'bpf/programs');
const MANIFEST = join(ROOT, 'bpf/objects/manifest.json');
const BUILD = join(ROOT, 'build/bpf-programs.ts');

const reasons = new Map<BpfNeed, string>();

const REASONS: Readonly<Record<BpfNeed, () => string | undefined>> = {
  root: () => named(rootProblem() ?? libbpfProblem() ?? mapProblem()),
  cgroup2: cgroupProblem,
  libbpf: () => named(libbpfProblem()),
  clang: () => commandProblem('clang', ['--version']) ?? commandProblem('llvm-strip', ['--version']),
  bpffs: () => REASONS.root() ?? commandProblem('unshare', ['--mount', 'mount', '-t', 'bpf', 'bpf', tmpdir()]),
  namespaces: () =>
    REASONS.root() ?? commandProblem('unshare', ['--mount', '--net', 'true']) ?? commandProblem('ip', ['-V']),
  objects: objectsProblem,
};

function named(problem: string | undefined): string | undefined {
  return problem === undefined ? undefined : `BPF: ${problem}`;
}

/** Root of a sandbox may be refused bpf(2) altogether. */
function mapProblem(): string | undefined {
  const shape = { type: MapType.array, keyBytes: 4, valueBytes: 4, maxEntries: 1, flags: 0, name: 'or_test' };
  const fd = createMap(shape);
  if (fd < 0) return `this kernel makes no maps: ${describeErrno(-fd)}`;
  closeSync(fd);
  return undefined;
}

function cgroupProblem(): string | undefined {
  const root = cgroupRoot();
  if (root === undefined) return 'BPF: no cgroup2 is mounted for writing';
  try {
    accessSync(root, constants.W_OK);
    return undefined;
  } catch (error) {
    return `BPF: no cgroups can be made in ${root}: ${(error as NodeJS.ErrnoException).code}`;
  }
}

function commandProblem(command: string, args: readonly string[]): string | undefined {
  const { error, status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (error !== undefined) return `BPF: ${command}: ${error.message}`;
  return status === 0 ? undefined : `BPF: ${command} ${args.join(' ')}: ${stderr.trim()}`;
}

/** Builds them when they are older than their sources. Test files run side by side: one builds, the others wait. */
function objectsProblem(): string | undefined {
  const folder = openSync(PROGRAMS, 'r');
  try {
    const locked = lockFile(folder, { waits: true });
    if (locked < 0) return `BPF: ${PROGRAMS} cannot be locked: ${describeErrno(-locked)}`;
    if (isBuilt()) return undefined;
    const { status, stderr } = spawnSync(process.execPath, [BUILD], { cwd: ROOT, encoding: 'utf8' });
    return status === 0 ? undefined : `BPF: objects cannot be built: ${stderr.trim().split('\n')[0]}`;
  } finally {
    closeSync(folder);
  }
}

function isBuilt(): boolean {
  if (!existsSync(MANIFEST)) return false;
  const builtAt = statSync(MANIFEST).mtimeMs;
  return globSync(join(PROGRAMS, '*.{c,h}')).every((source) => statSync(source).mtimeMs <= builtAt);
}
