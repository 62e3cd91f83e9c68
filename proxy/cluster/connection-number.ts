// Numbers of upstream connections, for logs. Each thread counts on its own, so that none waits for another; all numbers
// are small integers, which cost a request that notes one no memory. After 16 million connections of one worker its
// numbers begin anew: Envoy promises no more than that two of the same are unlikely.

import { threadId } from 'node:worker_threads';

const perThread = 2 ** 24;
const threads = 64;
const first = (threadId % threads) * perThread;
let last = 0;

/** Never 0, which stands for no connection. */
export function nextConnectionNumber(): number {
  last = last === perThread - 1 ? 1 : last + 1;
  return first + last;
}
