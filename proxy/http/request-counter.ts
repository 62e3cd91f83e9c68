// Counts finished requests for the request metrics: finds the series that a request belongs to, kept at its route.

import type { FormatContext } from '../format/format-context.ts';
import type { RequestMetrics, RequestSeries } from '../telemetry/request-metrics.ts';
import { boundedMethod } from '../telemetry/request-stats.ts';
import { receivedGrpcStatus } from '../tracing/grpc-outcome.ts';
import { routeTemplate } from '../tracing/sampling-keys.ts';
import type { Stream } from './stream.ts';

/** By destination service, then method. Services are those of clusters that there are: a request invents none. */
export type RouteSeries = Map<string, Map<string, RequestSeries>>;

export class RequestCounter {
  readonly #metrics: RequestMetrics;
  /** Of replies to requests without a route. */
  readonly #unrouted: RouteSeries = new Map();

  constructor(metrics: RequestMetrics) {
    this.#metrics = metrics;
  }

  /** Once a request, when it is over. */
  count(stream: Stream, context: FormatContext): void {
    const { info, trace } = stream;
    const grpcStatus = trace === null ? receivedGrpcStatus(context) : trace.grpcStatus;
    this.#seriesOf(stream).record(info.responseCode, grpcStatus, info.endedAtMs - info.startedAtMs);
  }

  #seriesOf({ route, cluster, head }: Stream): RequestSeries {
    if (route !== null && route.requestSeries === null) route.requestSeries = new Map();
    const series = route === null ? this.#unrouted : route.requestSeries!;
    const service = cluster === null ? '' : cluster.serviceName;
    const method = boundedMethod(head.method);
    let byMethod = series.get(service);
    if (byMethod === undefined) {
      byMethod = new Map();
      series.set(service, byMethod);
    }
    let found = byMethod.get(method);
    if (found === undefined) {
      found = this.#metrics.seriesFor({ service, route: route === null ? '' : routeTemplate(route), method });
      byMethod.set(method, found);
    }
    return found;
  }
}
