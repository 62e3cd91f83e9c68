// The paced client as a process of its own, on the core of the load.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOAD_CORE } from '../peers/pinned-process.ts';
import type { PacedOptions, PacedOutcome } from './paced-load.ts';

const CLIENT = join(import.meta.dirname, 'paced-client.ts');

// Of half a million requests with their times, 19 characters each.
const MOST_OUTPUT_BYTES = 2 ** 25;

// `idle` is SCHED_IDLE: a client that spins only gets what the origin leaves of the core.
export async function runPacedClient(options: PacedOptions, policy: 'idle' | 'other'): Promise<PacedOutcome> {
  // Said in both cases: a child has the class of its parent, which may have made itself idle.
  const command = [
    '-c',
    String(LOAD_CORE),
    'chrt',
    `--${policy}`,
    '0',
    process.execPath,
    CLIENT,
    JSON.stringify(options),
  ];
  const { stdout } = await promisify(execFile)('taskset', command, { maxBuffer: MOST_OUTPUT_BYTES });
  return JSON.parse(stdout) as PacedOutcome;
}
