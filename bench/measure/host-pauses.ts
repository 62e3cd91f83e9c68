// When the hypervisor ran somebody else. A tail latency is the longest few of thousands, and where the host takes a core away
// for 2 to 70 ms several times a second it is the host's tail whatever ran: then p99 of a proxy that did nothing at all was
// 2 ms in one minute and 70 in the next. So each core has a watchman of real-time priority (SCHED_FIFO, sched(7)),
// which nothing but the kernel's own work and the host can keep from waking, and what fell into such a pause is left out, for
// all proxies alike. /proc/stat counts steal in ticks of 10 ms per core, which is too coarse to tell which request it hit.
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Span } from './pause-log.ts';

const WATCH = join(import.meta.dirname, 'pause-watch.ts');
const PRIORITY = 50;

export type Watched<Result> = { readonly result: Result; readonly pauses: HostPauses };

/**
 * Runs `work` while the cores are watched.
 * Rejects without the right to real-time priorities (CAP_SYS_NICE), before `work` has begun.
 */
export async function watchingHost<Result>(
  cores: readonly number[],
  work: () => Promise<Result>,
): Promise<Watched<Result>> {
  const watches = await Promise.all(cores.map(startWatch));
  try {
    const result = await work();
    const seen = await Promise.all(watches.map((watch) => watch.end()));
    return { result, pauses: new HostPauses(seen.flat()) };
  } finally {
    await Promise.all(watches.map((watch) => watch.kill()));
  }
}

/** Pauses of any of the cores. */
export class HostPauses {
  readonly #spans: readonly Span[];

  constructor(pauses: readonly Span[]) {
    // As long again behind it counts as well: what came due in the pause is still waiting then.
    this.#spans = pauses.map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + (toMs - fromMs) }));
  }

  disturbed(span: Span): boolean {
    return this.#spans.some(({ fromMs, toMs }) => span.fromMs < toMs && fromMs < span.toMs);
  }
}

type Watch = { readonly end: () => Promise<readonly Span[]>; readonly kill: () => Promise<void> };

async function startWatch(core: number): Promise<Watch> {
  const child = spawn('chrt', ['--fifo', String(PRIORITY), 'taskset', '-c', String(core), process.execPath, WATCH], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const problem = text(child.stderr);
  const [first] = (await Promise.race([once(child.stdout, 'data'), once(child, 'close')])) as [unknown];
  if (String(first) !== 'ready\n')
    throw new Error(`core ${core} cannot be watched for pauses of the host: ${await problem}`);
  return { end: () => endOf(child), kill: () => kill(child) };
}

async function endOf(child: ChildProcessByStdio<Writable, Readable, Readable>): Promise<readonly Span[]> {
  const told = text(child.stdout);
  child.stdin.end();
  return JSON.parse(await told) as readonly Span[];
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
