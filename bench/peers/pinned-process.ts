// A child process bound to one core. The proxy under test has core 0 to itself; origin and load share core 1, so that
// what they cost is never charged to the proxy.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

const KILL_AFTER_MS = 5_000;

export type PinnedOptions = {
  readonly core: number;
  // Standard output and error are appended to `output` in here.
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
};

export type PinnedProcess = {
  // taskset replaces itself by the program: this is the program's own id.
  readonly pid: number;
  readonly alive: () => boolean;
  // The last lines of the output, for messages about a death.
  readonly lastOutput: () => string;
  // SIGTERM, then SIGKILL when it has not ended after 5 s. Resolves when it is gone.
  readonly stop: () => Promise<void>;
};

const running = new Set<PinnedProcess>();

export function startPinned(command: readonly string[], options: PinnedOptions): PinnedProcess {
  const outputPath = join(options.directory, 'output');
  const output = openSync(outputPath, 'a');
  const child = spawn('taskset', ['-c', String(options.core), ...command], {
    cwd: options.directory,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  if (child.pid === undefined) throw new Error(`taskset could not be started; it is in Debian's util-linux`);
  const pinned: PinnedProcess = {
    pid: child.pid,
    alive: () => child.exitCode === null && child.signalCode === null,
    lastOutput: () => readFileSync(outputPath, 'utf8').trim().split('\n').slice(-5).join('\n'),
    stop: () => end(child),
  };
  running.add(pinned);
  child.once('exit', () => running.delete(pinned));
  return pinned;
}

// What runs a command as a process of a cgroup: a shell that moves there and becomes it.
export function inCgroup(folder: string): readonly string[] {
  return ['sh', '-c', `echo $$ > ${folder}/cgroup.procs && exec "$0" "$@"`];
}

// Called once at the end of a command, however it ended: nothing may be left on the cores.
export async function stopAllPinned(): Promise<void> {
  await Promise.all([...running].map((one) => one.stop()));
}

function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    const kill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
    child.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
