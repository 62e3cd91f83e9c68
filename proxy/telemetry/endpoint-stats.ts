// What is counted of one endpoint: shown by `/clusters` only. Envoy lists it in `/stats` too when a cluster asks for it
// (`per_endpoint_stats`), which is not supported: it makes the number of series that of endpoints.
// https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--clusters

import { counter, defineStats, gauge } from './stats.ts';

/** A block takes two names: the cluster's and `ip:port`. */
export const endpointStats = defineStats(
  'cluster.{envoy_cluster_name}.endpoint.{envoy_endpoint_address}',
  {
    cxTotal: counter('cx_total'),
    cxActive: gauge('cx_active'),
    cxConnectFail: counter('cx_connect_fail'),
    rqTotal: counter('rq_total'),
    rqActive: gauge('rq_active'),
    /** Requests that wait for a connection to it. */
    rqPendingActive: gauge('rq_pending_active'),
    rqSuccess: counter('rq_success'),
    rqError: counter('rq_error'),
    rqTimeout: counter('rq_timeout'),
  },
  { isListed: false },
);
