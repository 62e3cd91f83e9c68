// What requests feel of pushes: p99 of an even load alone, while endpoints change all the time, and while all clusters
// with their endpoints are pushed anew.
//
// The control plane and this process, which asks it for changes, share the load's core. They run as SCHED_IDLE meanwhile and
// the load rests between requests, so that the load is served first and they take what is left of the core. In a trace
// of the scheduler the slowest hundredth beside changes had waited for this process while the proxy's core was idle.
import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { patternBody, SMALL_BODY_BYTES } from '../load/bodies.ts';
import { runWatchedClient, type WatchedOutcome } from '../load/undisturbed.ts';
import type { ControlPlane } from '../peers/go-control-plane.ts';
import type { RunningPeer } from '../peers/running-peer.ts';

const CONNECTIONS = 32;
const REQUESTS_PER_SECOND = 1_000;
const SECONDS = 4;
const CHANGE_EVERY_MS = 10;
// Nothing else sends so many endpoints at once.
const PUSH_LEAST = 1_000;
const PUSH_ATTEMPTS = 3;
const LATER_PUSHES = 3;
// The load has its connections by then.
const PUSH_AFTER_MS = 500;

export type PushLoad = {
  readonly quiet: WatchedOutcome;
  readonly changes: WatchedOutcome;
  // Behind the one that the process started with.
  readonly push: WatchedOutcome;
  readonly laterPushes: readonly WatchedOutcome[];
};

export type PushLoadOptions = {
  readonly controlPlane: ControlPlane;
  readonly changedAddress: string;
  // Clusters to change, as many as `changesNeeded`, none of them changed before.
  readonly clusters: readonly number[];
  // Something new for each push of everything.
  readonly nextPush: () => Readonly<Record<string, string>>;
};

export const changesNeeded = (SECONDS * 1_000) / CHANGE_EVERY_MS;

export function measurePushLoad(running: RunningPeer, options: PushLoadOptions): Promise<PushLoad> {
  return givingWay(options.controlPlane, () => measureLoads(running, options));
}

async function measureLoads(running: RunningPeer, options: PushLoadOptions): Promise<PushLoad> {
  // The first thousands of requests are those that V8 compiles beside.
  await runClient(running);
  const quiet = await runClient(running);
  const [changes] = await Promise.all([runClient(running), changeEndpoints(options)]);
  const push = await loadDuringPush(running, options);
  const laterPushes: WatchedOutcome[] = [];
  while (laterPushes.length < LATER_PUSHES) laterPushes.push(await loadDuringPush(running, options));
  return { quiet, changes, push, laterPushes };
}

// On a busy machine the control plane may get no time to send before the load is over: then once more.
async function loadDuringPush(running: RunningPeer, options: PushLoadOptions): Promise<WatchedOutcome> {
  const { controlPlane } = options;
  for (let attempt = 0; attempt < PUSH_ATTEMPTS; attempt += 1) {
    const [outcome] = await Promise.all([
      runClient(running),
      setTimeout(PUSH_AFTER_MS).then(() => controlPlane.push(options.nextPush())),
    ]);
    const { responses } = await controlPlane.status('eds', 1);
    if (responses[0]!.resources >= PUSH_LEAST) return outcome;
  }
  throw new Error('the control plane got no time to push while the load ran: the machine is too busy');
}

async function changeEndpoints(options: PushLoadOptions): Promise<void> {
  const startedAt = performance.now();
  for (const [index, cluster] of options.clusters.entries()) {
    await setTimeout(Math.max(0, startedAt + index * CHANGE_EVERY_MS - performance.now()));
    await options.controlPlane.changeEndpoint(`service-${cluster}`, options.changedAddress);
  }
}

// The control plane and this process are SCHED_IDLE while `work` runs.
export async function givingWay<Result>(controlPlane: ControlPlane, work: () => Promise<Result>): Promise<Result> {
  const pids = [controlPlane.pid, process.pid];
  for (const pid of pids) schedule(pid, '--idle');
  const result = await work();
  for (const pid of pids) schedule(pid, '--other');
  return result;
}

function schedule(pid: number, policy: '--idle' | '--other'): void {
  execFileSync('chrt', ['--all-tasks', policy, '--pid', '0', String(pid)]);
}

function runClient(running: RunningPeer): Promise<WatchedOutcome> {
  return runWatchedClient({
    port: running.httpPort,
    connections: CONNECTIONS,
    requestsPerSecond: REQUESTS_PER_SECOND,
    seconds: SECONDS,
    requests: [`GET / HTTP/1.1\r\nHost: ${running.authority}\r\n\r\n`],
    rests: true,
    expectedBody: patternBody(SMALL_BODY_BYTES),
  });
}
