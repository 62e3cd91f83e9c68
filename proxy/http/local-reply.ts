// Replies that we make ourselves, each known before a request needs it: Envoy's status, text, flags and detail word.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details

import type { CodecError } from './http1/codec-error.ts';
import { standardReason } from './http1/reason-phrase.ts';
import { ResponseFlag } from './stream-info.ts';

export interface LocalReply {
  readonly status: number;
  /** Envoy's text, which tools and people search for. */
  readonly body: string;
  /** Envoy's response code detail. */
  readonly details: string;
  /** Bits of ResponseFlag. */
  readonly flags: number;
}

function reply(status: number, body: string, details: string, flags = 0): LocalReply {
  return Object.freeze({ status, body, details, flags });
}

const resetPrefix = 'upstream connect error or disconnect/reset before headers. reset reason: ';

export const LocalReplies = {
  routeNotFound: reply(404, '', 'route_not_found', ResponseFlag.noRouteFound),
  clusterNotFound503: reply(503, '', 'cluster_not_found', ResponseFlag.noClusterFound),
  clusterNotFound404: reply(404, '', 'cluster_not_found', ResponseFlag.noClusterFound),
  clusterNotFound500: reply(500, '', 'cluster_not_found', ResponseFlag.noClusterFound),
  noHealthyUpstream: reply(503, 'no healthy upstream', 'no_healthy_upstream', ResponseFlag.noHealthyUpstream),
  missingHost: reply(400, '', 'missing_host_header'),
  invalidAuthority: reply(400, '', 'http.invalid_authority'),
  pathNormalizationFailed: reply(400, '', 'path_normalization_failed'),
  upgradeFailed: reply(403, '', 'upgrade_failed'),
  connectFailure: reply(
    503,
    `${resetPrefix}remote connection failure`,
    'upstream_reset_before_response_started{remote_connection_failure}',
    ResponseFlag.upstreamConnectionFailure,
  ),
  connectTimeout: reply(
    503,
    `${resetPrefix}connection timeout`,
    'upstream_reset_before_response_started{connection_timeout}',
    ResponseFlag.upstreamConnectionFailure,
  ),
  connectionTermination: reply(
    503,
    `${resetPrefix}connection termination`,
    'upstream_reset_before_response_started{connection_termination}',
    ResponseFlag.upstreamConnectionTermination,
  ),
  protocolError: reply(
    502,
    `${resetPrefix}protocol error`,
    'upstream_reset_before_response_started{protocol_error}',
    ResponseFlag.upstreamProtocolError,
  ),
  overflow: reply(
    503,
    `${resetPrefix}overflow`,
    'upstream_reset_before_response_started{overflow}',
    ResponseFlag.upstreamOverflow,
  ),
  onDemandOverflow: reply(503, '', 'on_demand_overflow', ResponseFlag.upstreamOverflow),
  upstreamTimeout: reply(504, 'upstream request timeout', 'response_timeout', ResponseFlag.upstreamRequestTimeout),
  perTryTimeout: reply(
    504,
    'upstream request timeout',
    'upstream_per_try_timeout',
    ResponseFlag.upstreamRequestTimeout,
  ),
  perTryIdleTimeout: reply(
    504,
    'upstream request timeout',
    'upstream_per_try_idle_timeout',
    ResponseFlag.upstreamRequestTimeout,
  ),
  // Status 504 once the request is complete: then it is not the client who lets us wait.
  streamIdleTimeout: reply(408, 'stream timeout', 'stream_idle_timeout', ResponseFlag.streamIdleTimeout),
  streamIdleTimeoutAfterRequest: reply(504, 'stream timeout', 'stream_idle_timeout', ResponseFlag.streamIdleTimeout),
  maxStreamDuration: reply(408, 'downstream duration timeout', 'max_duration_timeout'),
  maxStreamDurationAfterRequest: reply(504, 'downstream duration timeout', 'max_duration_timeout'),
  requestTimeout: reply(408, 'request timeout', 'request_overall_timeout'),
  requestHeadersTimeout: reply(408, 'request header timeout', 'request_header_timeout'),
} as const;

/** The reply of a route whose cluster is not there, with the status that it asks for. */
export function clusterNotFoundReply(status: 404 | 500 | 503): LocalReply {
  if (status === 404) return LocalReplies.clusterNotFound404;
  return status === 500 ? LocalReplies.clusterNotFound500 : LocalReplies.clusterNotFound503;
}

/** The reply to a request that is not what HTTP/1.1 allows. */
export function refusalReply({ status, details, flag }: CodecError): LocalReply {
  return { status, body: standardReason(status), details, flags: flag };
}

/** gRPC status for an HTTP status, by the gRPC mapping (doc/http-grpc-status-mapping.md). */
export function grpcStatusOf(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return 13;
    case 401:
      return 16;
    case 403:
      return 7;
    case 404:
      return 12;
    case 429:
    case 502:
    case 503:
    case 504:
      return 14;
    default:
      return 2;
  }
}
