// Ends the sidecar of a job when the application has gone; otherwise the pod would never end. Only where it is asked for, and
// only by what cannot be mistaken: processes of other containers, which a pod with `shareProcessNamespace` shows. An application
// without sockets may be between two requests, so sockets say nothing.
//
// An application that was not seen yet may still come: nothing ends before it did.

import { readdirSync, readFileSync } from 'node:fs';
import type { ComponentLog } from '../telemetry/process-log.ts';

export type WatchState =
  /** It may still come. */
  | { readonly kind: 'unseen' }
  | { readonly kind: 'running' }
  /** Perhaps to be started again. */
  | { readonly kind: 'gone'; readonly sinceMs: number }
  | { readonly kind: 'over' };

export type Presence = 'there' | 'none' | 'unknown';

/** What is known after a look. */
export function nextWatch(
  state: WatchState,
  presence: Presence,
  { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number },
): WatchState {
  if (state.kind === 'over') return state;
  if (presence === 'there') return { kind: 'running' };
  // Who does not know whether it has come back begins to count anew.
  if (presence === 'unknown') return state.kind === 'gone' ? { kind: 'running' } : state;
  switch (state.kind) {
    case 'unseen':
      return state;
    case 'running':
      return { kind: 'gone', sinceMs: nowMs };
    case 'gone':
      return nowMs - state.sinceMs >= graceMs ? { kind: 'over' } : state;
  }
}

export interface ApplicationWatchOptions {
  readonly look: () => Presence;
  /** How long it must have gone. */
  readonly graceMs: number;
  readonly end: () => void;
  readonly clock: () => number;
  /** Calls back once after a delay. */
  readonly schedule: (delayMs: number, callback: () => void) => void;
  readonly log: Pick<ComponentLog, 'info'>;
}

export function watchApplication({ look, graceMs, end, clock, schedule, log }: ApplicationWatchOptions): void {
  let state: WatchState = { kind: 'unseen' };
  const act = (): void => {
    const next = nextWatch(state, look(), { nowMs: clock(), graceMs });
    if (state.kind === 'unseen' && next.kind === 'running') {
      log.info('the application runs: the sidecar ends when it has gone');
    }
    state = next;
    if (state.kind === 'over') {
      log.info('the application has gone: the sidecar ends');
      end();
      return;
    }
    schedule(lookEveryMs, act);
  };
  act();
}

const lookEveryMs = 1000;

/** Whether processes of other containers can be seen: the first of all is of the pod's own, then, and not of ours. */
export function sharesProcesses(proc = '/proc'): boolean {
  const [own, first] = [cgroupOf('self', proc), cgroupOf('1', proc)];
  return own !== undefined && first !== undefined && own !== first;
}

/** Whether there are any, beside that of the pod. Hooks and probes that run in our container are not the application. */
export function lookForProcesses(proc = '/proc'): Presence {
  try {
    const own = cgroupOf('self', proc);
    if (own === undefined) return 'unknown';
    const others = readdirSync(proc).filter((name) => /^\d+$/.test(name) && name !== '1');
    const isThere = others.some((pid) => (cgroupOf(pid, proc) ?? own) !== own);
    return isThere ? 'there' : 'none';
  } catch {
    // Who may not be looked at may be the application.
    return 'unknown';
  }
}

/** Undefined for a process that has ended. Containers have a group each (cgroups(7)). */
function cgroupOf(pid: string, proc: string): string | undefined {
  try {
    return readFileSync(`${proc}/${pid}/cgroup`, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
