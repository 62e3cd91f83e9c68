// What is counted of attempts at endpoints that begin before a silent client has spoken (`proxy/listener/speculation.ts`).

import { counter, defineStats } from './stats.ts';

/** `used` and `unused` are how the opened ones came out; `failed` were refused, or ended, before it was known. */
export const serverFirstStats = defineStats(
  'server_first',
  {
    openedTotal: counter('opened_total'),
    usedTotal: counter('used_total'),
    unusedTotal: counter('unused_total'),
    failedTotal: counter('failed_total'),
    /** The endpoint spoke before its client did. */
    verdictsTotal: counter('verdicts_total'),
  },
  { vocabulary: 'outrigger' },
);
