// Between two looks at what another process is to come to. Who looks again at once takes the core from whom he waits for, and
// from every other test: an answer of the admin interface alone is a millisecond of two processes.

import { setTimeout as delay } from 'node:timers/promises';

/** As long as nobody feels. */
const PAUSE_MS = 20;

export function pause(): Promise<void> {
  return delay(PAUSE_MS);
}
