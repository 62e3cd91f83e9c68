// Where outrigger spends its time under load: V8's sampling profile of every thread, and a count of the busiest
// thread's system calls. Two processes, because strace would be in the profile.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureWrk } from '../load/wrk.ts';
import { parseProcessStat } from '../measure/process-cpu.ts';
import { ensureDebianPackages } from '../peers/debian-packages.ts';
import { startOrigin } from '../peers/origin.ts';
import { outrigger } from '../peers/outrigger.ts';
import { startPeer } from '../peers/running-peer.ts';
import { type CpuProfile, selfTimes } from '../report/cpu-profile.ts';
import { AXES } from './axes.ts';
import { runSlot } from './throughput.ts';

const LOAD_SECONDS = 5;
const FUNCTIONS_SHOWN = 30;
const STRACE_BINARY = '/usr/bin/strace';

export async function runProfile(): Promise<void> {
  ensureWrk();
  ensureDebianPackages([{ name: 'strace', provides: STRACE_BINARY }]);
  outrigger.install();
  const origin = await startOrigin();
  await profileFunctions(origin.port);
  await countSystemCalls(origin.port);
  await origin.stop();
}

async function profileFunctions(originPort: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-profile-'));
  const environment = { OUTRIGGER_NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${directory}` };
  const running = await startPeer(outrigger, { profile: 'bare', clusters: 1, originPort, environment });
  await runSlot(AXES[0]!, running, LOAD_SECONDS);
  // V8 writes the profiles when the process ends in order.
  await running.stop();
  const files = readdirSync(directory).filter((name) => name.endsWith('.cpuprofile'));
  if (files.length === 0) throw new Error('outrigger wrote no .cpuprofile; it did not end in order');
  for (const file of files) {
    console.log(`\n${file}: self time`);
    for (const one of selfTimes(JSON.parse(readFileSync(join(directory, file), 'utf8')) as CpuProfile).slice(
      0,
      FUNCTIONS_SHOWN,
    )) {
      console.log(`${(one.share * 100).toFixed(1).padStart(6)} %  ${one.name}`);
    }
  }
  rmSync(directory, { recursive: true });
}

async function countSystemCalls(originPort: number): Promise<void> {
  const running = await startPeer(outrigger, { profile: 'bare', clusters: 1, originPort });
  await runSlot(AXES[0]!, running, 1);
  const thread = busiestThread(running.pid);
  const strace = spawn(STRACE_BINARY, ['-c', '-p', String(thread)], { stdio: ['ignore', 'ignore', 'inherit'] });
  const slot = await runSlot(AXES[0]!, running, 2);
  console.log(`\nsystem calls of thread ${thread} over ${slot.requests} requests:`);
  strace.kill('SIGINT');
  await once(strace, 'exit');
  await running.stop();
}

function busiestThread(pid: number): number {
  const busy = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const time = parseProcessStat(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8'));
    return { thread: Number(thread), cpuMs: time.userMs + time.systemMs };
  });
  return busy.reduce((most, one) => (one.cpuMs > most.cpuMs ? one : most)).thread;
}
