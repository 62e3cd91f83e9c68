// The clock and the timers of the main thread, for those who are given theirs.

import type { ExportClock } from '../export/sender.ts';

export const processClock: ExportClock = {
  nowMs: () => performance.now(),
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};
