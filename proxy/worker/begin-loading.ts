// The first thing that a worker's thread does: imports are evaluated in the order in which they are written, and those behind
// this one load native code.

import { workerData } from 'node:worker_threads';
import { LoadingThreads } from './loading-threads.ts';
import type { ThreadStart } from './messages.ts';

const { loading, workerIndex } = workerData as ThreadStart;
const threads = new LoadingThreads(loading);
// Also when it fails, of which the main thread does not hear while it waits.
process.once('exit', () => threads.noteDone(workerIndex));
threads.begin(workerIndex);
