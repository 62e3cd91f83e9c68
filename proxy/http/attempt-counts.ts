// What is counted of a request's attempts: for the cluster, for the endpoint, for the route, and where one side waits for
// the other.

import type { ClusterRuntime } from '../cluster/cluster-runtime.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import { clusterStats, routeStats } from '../telemetry/cluster-stats.ts';
import { endpointStats } from '../telemetry/endpoint-stats.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { HttpContext } from './connection-manager.ts';
import { HeaderId } from './header-name.ts';
import { BodyFraming, HttpVersion, type ResponseHead } from './message.ts';

/** A block of `routeStats`; null when the route has no `stat_prefix`. */
export function routeStatsOf(route: CompiledRoute, { routeBlock }: HttpContext): StatBlock | null {
  const { statPrefix } = route.config;
  if (statPrefix === '') return null;
  route.stats ??= routeBlock(route.virtualHost.config.name, statPrefix);
  return route.stats;
}

/** The attempt has a connection: from there on it counts as a request of the endpoint's, as in Envoy. */
export function countAttempt(cluster: ClusterRuntime, endpoint: EndpointRuntime): void {
  cluster.stats.inc(clusterStats.upstreamRqTotal);
  cluster.stats.inc(clusterStats.upstreamRqActive);
  endpoint.stats.inc(endpointStats.rqTotal);
  endpoint.stats.inc(endpointStats.rqActive);
}

/** One that `countAttempt` has counted is over. */
export function countAttemptEnd(cluster: ClusterRuntime, endpoint: EndpointRuntime): void {
  endpoint.stats.dec(endpointStats.rqActive);
  cluster.stats.dec(clusterStats.upstreamRqActive);
}

/** What the endpoint said, whether the client gets it or not. */
export function countAnswer(cluster: ClusterRuntime, endpoint: EndpointRuntime, head: ResponseHead): void {
  endpoint.stats.inc(head.status >= 500 ? endpointStats.rqError : endpointStats.rqSuccess);
  if (!head.keepAlive && announcesClose(head)) cluster.stats.inc(clusterStats.upstreamCxCloseNotify);
}

/** A body that ends with its connection is no announcement, as in Envoy. */
function announcesClose({ framing, version, headers }: ResponseHead): boolean {
  return (
    framing !== BodyFraming.untilClose || version === HttpVersion.http10 || headers.findId(HeaderId.connection) >= 0
  );
}

/** The time that the route gives to the request is over. `endpoint` is null where none was chosen yet. */
export function countTimeout(cluster: ClusterRuntime, route: StatBlock | null, endpoint: EndpointRuntime | null): void {
  cluster.stats.inc(clusterStats.upstreamRqTimeout);
  route?.inc(routeStats.upstreamRqTimeout);
  endpoint?.stats.inc(endpointStats.rqTimeout);
}

/** The waits of one request, each counted at its beginning and at its end. Made with the first. */
export class FlowCounts {
  readonly #cluster: StatBlock;
  readonly #manager: StatBlock;
  #isRequestPaused = false;
  #isResponsePaused = false;

  /** Blocks of `clusterStats` and `httpStats`. */
  constructor(cluster: StatBlock, manager: StatBlock) {
    this.#cluster = cluster;
    this.#manager = manager;
  }

  /** The endpoint does not take more of the request: nothing is read from the client. */
  pauseRequest(): void {
    if (this.#isRequestPaused) return;
    this.#isRequestPaused = true;
    this.#cluster.inc(clusterStats.upstreamFlowControlBackedUpTotal);
    this.#manager.inc(httpStats.downstreamFlowControlPausedReadingTotal);
  }

  resumeRequest(): void {
    if (!this.#isRequestPaused) return;
    this.#isRequestPaused = false;
    this.#cluster.inc(clusterStats.upstreamFlowControlDrainedTotal);
    this.#manager.inc(httpStats.downstreamFlowControlResumedReadingTotal);
  }

  /** The client does not take more of the response: nothing is read from the endpoint. */
  pauseResponse(): void {
    if (this.#isResponsePaused) return;
    this.#isResponsePaused = true;
    this.#cluster.inc(clusterStats.upstreamFlowControlPausedReadingTotal);
  }

  resumeResponse(): void {
    if (!this.#isResponsePaused) return;
    this.#isResponsePaused = false;
    this.#cluster.inc(clusterStats.upstreamFlowControlResumedReadingTotal);
  }
}
