// Entry of a worker thread: gives the worker its clock, chance and port, and runs it.

// Before all others: those load native code.
import './begin-loading.ts';

import { parentPort, workerData } from 'node:worker_threads';
import { loadSecondEngine, type SecondEngine } from '../engine/second-engine.ts';
import { LoadingThreads } from './loading-threads.ts';
import type { ThreadStart } from './messages.ts';
import { Worker } from './worker.ts';

const port = parentPort;
if (port === null) throw new Error('proxy/worker/main.ts runs as a worker thread only');

const start = workerData as ThreadStart;
// A library that cannot be loaded ends the thread, and with it the process.
if (start.engine === 'uws') loadSecondEngine().then(run);
else run({});

function run(engine: Partial<SecondEngine>): void {
  process.once('exit', () => engine.downstream?.abandon());
  const options = { clock: () => performance.now(), wallClock: Date.now, random: Math.random };
  const worker = new Worker({ start, port: port!, ...options, ...engine });
  new LoadingThreads(start.loading).noteDone(start.workerIndex);
  worker.run(() => process.exit(0));
}
