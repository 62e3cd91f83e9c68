// Counts finished requests for the request metrics: finds the series that a request belongs to, kept at its route.

import type { FormatContext } from '../format/format-context.ts';
import type { CompiledRoute } from '../route/compiled-route.ts';
import type { RequestMetrics, RequestSeries } from '../telemetry/request-metrics.ts';
import { boundedMethod } from '../telemetry/request-stats.ts';
import { receivedGrpcStatus } from '../tracing/grpc-outcome.ts';
import { routeTemplate } from '../tracing/sampling-keys.ts';
import type { Stream } from './stream.ts';

/** Kept at a route, for all connection managers that use it. */
export interface RouteSeries {
  /** Where its requests went last: of most routes there is no other. */
  service: string;
  methods: MethodSeries;
  /** Services are those of clusters that there are: a request invents none. */
  readonly byService: Map<string, MethodSeries>;
}

type MethodSeries = Map<string, RequestSeries>;

export class RequestCounter {
  readonly #metrics: RequestMetrics;
  /** Of replies to requests without a route. */
  readonly #unrouted = newSeries();

  constructor(metrics: RequestMetrics) {
    this.#metrics = metrics;
  }

  /** Once a request, when it is over. */
  count(stream: Stream, context: FormatContext): void {
    const { info } = stream;
    // Read here: a trace has it only once it is kept.
    const grpcStatus = receivedGrpcStatus(context);
    this.#seriesOf(stream).record(info.responseCode, grpcStatus, info.endedAtMs - info.startedAtMs);
  }

  #seriesOf({ route, cluster, head }: Stream): RequestSeries {
    if (route !== null && route.requestSeries === null) route.requestSeries = newSeries();
    const series = route === null ? this.#unrouted : route.requestSeries!;
    const service = cluster === null ? '' : cluster.serviceName;
    if (series.service !== service) leadTo(series, service);
    return series.methods.get(head.method) ?? this.#ofMethod(series, route, head.method);
  }

  #ofMethod({ service, methods }: RouteSeries, route: CompiledRoute | null, asked: string): RequestSeries {
    const method = boundedMethod(asked);
    let found = methods.get(method);
    if (found === undefined) {
      found = this.#metrics.seriesFor({ service, route: route === null ? '' : routeTemplate(route), method });
      methods.set(method, found);
    }
    return found;
  }
}

function newSeries(): RouteSeries {
  return { service: '', methods: new Map(), byService: new Map() };
}

function leadTo(series: RouteSeries, service: string): void {
  series.byService.set(series.service, series.methods);
  series.methods = series.byService.get(service) ?? new Map();
  series.service = service;
}
