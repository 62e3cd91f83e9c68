// What is counted of queries of DNS that a sidecar answers (`proxy/dns/`).

import { counter, defineStats, histogram } from './stats.ts';

export const dnsStats = defineStats(
  'dns',
  {
    requestsTotal: counter('requests_total'),
    /** By the names of the mesh. */
    answeredTotal: counter('answered_total'),
    /** To servers of resolv.conf. */
    forwardedTotal: counter('forwarded_total'),
    /** No server answered, or there were too many queries. */
    failedTotal: counter('failed_total'),
    malformedTotal: counter('malformed_total'),
    /** Queries of our own that were led back to us. */
    returnedTotal: counter('returned_total'),
    upstreamMs: histogram('upstream_ms', 'ms'),
  },
  { vocabulary: 'outrigger' },
);
