// Requests come before configuration where both want the same core: a sidecar often has one, or less.

import { readdirSync, readFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/** Leaves a third of a worker's share. With a tenth (10) a single change waits twice as long behind busy workers. */
const steps = 5;
/**
 * V8's four threads compile and collect for as long as they find work, so that a fifth of the core was left to a change that came
 * meanwhile. All on one core, 400 changes of one endpoint each way, in turns of 50, and the calling thread's waits for the core that
 * these threads had: 26 of 5 ms or more (37 at most) at its own priority, 5 (7 at most) at this one. 15 is no better.
 */
const stepsOfV8 = 10;
/** The lowest priority there is (setpriority(2)). */
const last = 19;

/**
 * Lets threads that forward go before the calling one, and this one before those of V8, which collect its garbage: while 10,000
 * clusters are pushed anew they run as long as the calling thread does, four at a time. Linux has a nice value for each
 * thread, and new threads begin with that of who makes them: call it when the workers run. p99 of requests during such a
 * push, all on one core: 73 ms without, 18 ms with.
 */
export function giveWayToWorkers(): void {
  // From where it is: a process that was started with less may not take more, and asking for it fails.
  const before = getPriority();
  setPriority(Math.min(before + steps, last));
  for (const thread of threadsOfV8()) setPriority(thread, Math.min(before + stepsOfV8, last));
}

/** They are there from the start of the process to its end. Another thread may end while they are looked for. */
function threadsOfV8(): readonly number[] {
  const threads = readdirSync('/proc/self/task').filter((thread) => nameOf(thread) === 'V8Worker');
  return threads.map(Number);
}

function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim();
  } catch (error) {
    // ESRCH: it ended between the opening and the reading.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return '';
    throw error;
  }
}
