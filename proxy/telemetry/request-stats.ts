// What is counted of every request, sampled or not, by who was asked for what and how it ended. OpenTelemetry derives the
// same from spans, which are a sample: `outrigger_requests_total` needs no estimate.

import { counter, defineStats, histogram } from './stats.ts';

/**
 * A block takes the destination service, the route's template, the method, the status class (`2xx`, `none` when no
 * response was sent) and the gRPC status (empty for what is no gRPC).
 */
export const requestStats = defineStats(
  '{service}.{route}.{method}.{status}.{grpc_status}',
  {
    requestsTotal: counter('requests_total'),
    requestDurationMs: histogram('request_duration_milliseconds', 'ms'),
  },
  { vocabulary: 'outrigger' },
);

/** Requests of series that are gone: with them the sum over all series never falls. A block takes the last two names. */
export const expiredRequestStats = defineStats(
  '{status}.{grpc_status}',
  { requestsExpiredTotal: counter('requests_expired_total') },
  { vocabulary: 'outrigger' },
);

/** The name in place of all names that found no room. */
export const otherName = 'other';

/** What requests have in common that are counted together. */
export interface RequestKey {
  readonly service: string;
  /** A template, never the path of a request. */
  readonly route: string;
  readonly method: string;
}

/** How a request ended, as one number: the index of a series among those of its key. */
export function outcomeOf(status: number, grpcStatus: number): number {
  const statusClass = status >= 100 && status < 600 ? (status / 100) | 0 : 0;
  // Other numbers than those of gRPC are made by a peer, who must not make series.
  return statusClass * grpcOutcomes + (grpcStatus >= 0 && grpcStatus <= lastGrpcStatus ? grpcStatus + 1 : 0);
}

/** The names of a block of `requestStats`. */
export function requestNames({ service, route, method }: RequestKey, outcome: number): readonly string[] {
  const statusClass = (outcome / grpcOutcomes) | 0;
  const grpc = outcome % grpcOutcomes;
  const status = statusClass === 0 ? 'none' : `${statusClass}xx`;
  return [service, route, boundedMethod(method), status, grpc === 0 ? '' : String(grpc - 1)];
}

/** The methods that are told apart: any other is `_OTHER`, as in OpenTelemetry, or a client could make series. */
export function boundedMethod(method: string): string {
  return methods.has(method) ? method : '_OTHER';
}

const methods: ReadonlySet<string> = new Set([
  ...['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE', 'QUERY', otherName],
]);
const lastGrpcStatus = 16;
/** No gRPC, then each gRPC status. */
const grpcOutcomes = lastGrpcStatus + 2;
