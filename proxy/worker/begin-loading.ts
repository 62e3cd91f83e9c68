// The first thing that a worker's thread does: imports are evaluated in the order in which they are written, and those behind
// this one load native code.

import { workerData } from 'node:worker_threads';
import { LoadingThreads } from './loading-threads.ts';
import type { ThreadStart } from './messages.ts';

const { loading, workerIndex } = workerData as ThreadStart;
new LoadingThreads(loading).begin(workerIndex);
