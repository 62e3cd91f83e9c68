// How busy the two cores were. Steal decides whether a measurement counts; the load core shows whether the proxy or
// the load generator was the limit.
// https://man7.org/linux/man-pages/man5/proc_stat.5.html
import { readFileSync } from 'node:fs';
import { TICK_MS } from './process-cpu.ts';

export type CoreTime = { readonly busyMs: number; readonly idleMs: number; readonly stealMs: number };

export function readCoreTimes(): readonly CoreTime[] {
  return parseCoreTimes(readFileSync('/proc/stat', 'utf8'));
}

// One entry a core, in order, from the text of /proc/stat.
export function parseCoreTimes(text: string): readonly CoreTime[] {
  const cores: CoreTime[] = [];
  for (const [, fields] of text.matchAll(/^cpu\d+ (.*)$/gm)) {
    const ticks = fields!.split(' ').map(Number);
    if (ticks.length < 8 || ticks.some(Number.isNaN)) throw new Error(`not a core's line: ${fields}`);
    const [user, nice, system, idle, iowait, irq, softirq, steal] = ticks as Ticks;
    cores.push({
      busyMs: (user + nice + system + irq + softirq) * TICK_MS,
      idleMs: (idle + iowait) * TICK_MS,
      stealMs: steal * TICK_MS,
    });
  }
  return cores;
}

type Ticks = [number, number, number, number, number, number, number, number];

export function elapsedCoreTime(before: CoreTime, after: CoreTime): CoreTime {
  return {
    busyMs: after.busyMs - before.busyMs,
    idleMs: after.idleMs - before.idleMs,
    stealMs: after.stealMs - before.stealMs,
  };
}

// Shares of 1 of all the time that passed; 0 when none did.
export function busyShare(core: CoreTime): number {
  return shareOf(core.busyMs, core);
}

export function stealShare(core: CoreTime): number {
  return shareOf(core.stealMs, core);
}

function shareOf(partMs: number, core: CoreTime): number {
  const wholeMs = core.busyMs + core.idleMs + core.stealMs;
  return wholeMs === 0 ? 0 : partMs / wholeMs;
}
