// Entry of a worker thread: gives the worker its clock, chance and port, and runs it.

import { parentPort, workerData } from 'node:worker_threads';
import { loadSecondEngine } from '../engine/second-engine.ts';
import type { WorkerStart } from './messages.ts';
import { Worker } from './worker.ts';

const port = parentPort;
if (port === null) throw new Error('proxy/worker/main.ts runs as a worker thread only');

const start = workerData as WorkerStart;
const worker = new Worker({
  start,
  port,
  clock: () => performance.now(),
  wallClock: Date.now,
  random: Math.random,
  ...(start.engine === 'uws' && (await loadSecondEngine())),
});
worker.run(() => process.exit(0));
