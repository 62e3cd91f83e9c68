// Runs one test file in a process of its own and says what came of it. Nothing the file does, or fails to do, may
// count as a pass by omission: a crash, a hang, no summary and no tests are all failures.

import { type ChildProcess, spawn } from 'node:child_process';
import { failingParts, parseTapOutput, type TapOutput } from './tap-output.ts';

export interface TestFileOutcome {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly string[];
  readonly elapsedMs: number;
  /** What to print about the failures; empty when there are none. */
  readonly report: string;
}

export interface TestFileOptions {
  /** How long a file may end no test and assert nothing. However slow the machine, one that goes on is no hang. */
  readonly silenceMs: number;
  /** Folder for sources that Node has stripped and compiled: a proxy from sources starts with a third of the CPU. */
  readonly compileCache: string;
  /** Within the repository. Tests have their folders here, so that another run of the same test keeps its own. */
  readonly fixtures: string;
  /** Address of a module that puts a bundle in the place of `tap`. */
  readonly tapRedirection: string;
  /** Aborting ends the file's process group. */
  readonly signal: AbortSignal;
}

const SILENT_TICKS = 100;
const WHOLE_FILE_SILENCES = 5;

export async function runTestFile(file: string, options: TestFileOptions): Promise<TestFileOutcome> {
  const startedAt = performance.now();
  const ending = await runToEnd(file, options);
  const elapsedMs = performance.now() - startedAt;
  const tap = parseTapOutput(ending.stdout);
  const problems = problemsOf(ending, tap, options.silenceMs);
  const counted = (tap.summary?.failed ?? 0) + (tap.summary?.unfinished ?? 0) + tap.unexplainedSkips.length;
  const failed = Math.max(counted, problems.length > 0 ? 1 : 0);
  const report = failed === 0 ? '' : [failingParts(ending.stdout), ending.stderr.trim(), ...problems].join('\n').trim();
  return { file, passed: tap.summary?.passed ?? 0, failed, skips: tap.skips, elapsedMs, report };
}

interface Ending {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly killedBy: string | null;
  readonly isHanging: boolean;
}

function problemsOf(ending: Ending, tap: TapOutput, silenceMs: number): string[] {
  const problems: string[] = [];
  const summary = tap.summary;
  const isEmpty = summary !== undefined && summary.passed + summary.failed + summary.unfinished === 0;
  const hasSkips = tap.skips.length + tap.unexplainedSkips.length > 0;
  if (ending.isHanging) problems.push(`hangs, silent for ${silenceMs} ms; ${lastEnded(ending.stdout)}`);
  else if (ending.killedBy !== null) problems.push(`ended by ${ending.killedBy}`);
  else if (summary === undefined) problems.push(`ended without a summary, exit code ${ending.exitCode}`);
  else if (ending.exitCode !== 0 && summary.failed === 0) problems.push(`exit code ${ending.exitCode}`);
  if (isEmpty && !hasSkips) problems.push('contains no test');
  if ((summary?.unfinished ?? 0) > 0) problems.push('a test marked "todo" is not a test yet');
  for (const name of tap.unexplainedSkips) problems.push(`skipped without a reason: ${name}`);
  return problems;
}

/** tap says nothing of a test before it ends: the one that hangs comes after this one. */
function lastEnded(stdout: string): string {
  const last = stdout.match(/^(?:not )?ok \d.*$/gm)?.at(-1);
  return last === undefined ? 'no test in it ended' : `the last test to end was: ${last}`;
}

function runToEnd(file: string, options: TestFileOptions): Promise<Ending> {
  const child = spawn(process.execPath, ['--import', options.tapRedirection, file], {
    // Its own process group, so that what the test started ends with it.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: options.compileCache,
      TAP_REDIRECTION: options.tapRedirection,
      TAP_CWD: options.fixtures,
      // Of its own accord tap gives a whole file 30 s, which some take where a machine is slow or busy. This bounds a file
      // that is never silent.
      TAP_TIMEOUT: String((options.silenceMs * WHOLE_FILE_SILENCES) / 1000),
    },
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  let isHanging = false;
  let silentTicks = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    silentTicks = 0;
    stdout.push(chunk);
  });
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const abort = () => endGroup(child);
  options.signal.addEventListener('abort', abort, { once: true });
  // While the machine stands still nothing ticks: the file could not have gone on.
  const ticker = setInterval(() => {
    if (++silentTicks < SILENT_TICKS) return;
    clearInterval(ticker);
    isHanging = true;
    endGroup(child);
    // A grandchild that left the group may hold the pipes open for ever.
    child.stdout.destroy();
    child.stderr.destroy();
  }, options.silenceMs / SILENT_TICKS);
  child.once('exit', () => endGroup(child));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, killedBy) => {
      clearInterval(ticker);
      options.signal.removeEventListener('abort', abort);
      resolve({ stdout: text(stdout), stderr: text(stderr), exitCode, killedBy, isHanging });
    });
  });
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch (error) {
    // The group is gone already: the usual case after a clean exit.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function text(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8');
}
