// What is known of one request, for logs, formatters, filters of logs, and stats. Filled by the stages as facts become
// known; read once at the end. Envoy calls it StreamInfo.

import type { Metadata } from '../../config/endpoint.ts';
import type { Workload } from '../istio/workload.ts';
import type { SamplingReason } from '../tracing/sampling-reason.ts';
import type { TlsFacts } from '../transport/tls-facts.ts';
import type { ConnectionFacts } from './connection-facts.ts';

/** Response flags as bits. https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage */
export const ResponseFlag = {
  failedLocalHealthCheck: 1 << 0,
  noHealthyUpstream: 1 << 1,
  upstreamRequestTimeout: 1 << 2,
  localReset: 1 << 3,
  upstreamRemoteReset: 1 << 4,
  upstreamConnectionFailure: 1 << 5,
  upstreamConnectionTermination: 1 << 6,
  upstreamOverflow: 1 << 7,
  noRouteFound: 1 << 8,
  delayInjected: 1 << 9,
  faultInjected: 1 << 10,
  rateLimited: 1 << 11,
  unauthorized: 1 << 12,
  downstreamConnectionTermination: 1 << 13,
  upstreamRetryLimitExceeded: 1 << 14,
  streamIdleTimeout: 1 << 15,
  downstreamProtocolError: 1 << 16,
  upstreamMaxStreamDurationReached: 1 << 17,
  noFilterConfigFound: 1 << 18,
  durationTimeout: 1 << 19,
  upstreamProtocolError: 1 << 20,
  noClusterFound: 1 << 21,
  overloadManager: 1 << 22,
  dnsResolutionFailed: 1 << 23,
  downstreamRemoteReset: 1 << 24,
} as const;

/** Short and long names as access logs print them, in Envoy's order. */
export const responseFlagNames: readonly { readonly bit: number; readonly short: string; readonly long: string }[] = [
  { bit: ResponseFlag.failedLocalHealthCheck, short: 'LH', long: 'FailedLocalHealthCheck' },
  { bit: ResponseFlag.noHealthyUpstream, short: 'UH', long: 'NoHealthyUpstream' },
  { bit: ResponseFlag.upstreamRequestTimeout, short: 'UT', long: 'UpstreamRequestTimeout' },
  { bit: ResponseFlag.localReset, short: 'LR', long: 'LocalReset' },
  { bit: ResponseFlag.upstreamRemoteReset, short: 'UR', long: 'UpstreamRemoteReset' },
  { bit: ResponseFlag.upstreamConnectionFailure, short: 'UF', long: 'UpstreamConnectionFailure' },
  { bit: ResponseFlag.upstreamConnectionTermination, short: 'UC', long: 'UpstreamConnectionTermination' },
  { bit: ResponseFlag.upstreamOverflow, short: 'UO', long: 'UpstreamOverflow' },
  { bit: ResponseFlag.noRouteFound, short: 'NR', long: 'NoRouteFound' },
  { bit: ResponseFlag.delayInjected, short: 'DI', long: 'DelayInjected' },
  { bit: ResponseFlag.faultInjected, short: 'FI', long: 'FaultInjected' },
  { bit: ResponseFlag.rateLimited, short: 'RL', long: 'RateLimited' },
  { bit: ResponseFlag.unauthorized, short: 'UAEX', long: 'UnauthorizedExternalService' },
  { bit: ResponseFlag.downstreamConnectionTermination, short: 'DC', long: 'DownstreamConnectionTermination' },
  { bit: ResponseFlag.upstreamRetryLimitExceeded, short: 'URX', long: 'UpstreamRetryLimitExceeded' },
  { bit: ResponseFlag.streamIdleTimeout, short: 'SI', long: 'StreamIdleTimeout' },
  { bit: ResponseFlag.downstreamProtocolError, short: 'DPE', long: 'DownstreamProtocolError' },
  { bit: ResponseFlag.upstreamMaxStreamDurationReached, short: 'UMSDR', long: 'UpstreamMaxStreamDurationReached' },
  { bit: ResponseFlag.noFilterConfigFound, short: 'NFCF', long: 'NoFilterConfigFound' },
  { bit: ResponseFlag.durationTimeout, short: 'DT', long: 'DurationTimeout' },
  { bit: ResponseFlag.upstreamProtocolError, short: 'UPE', long: 'UpstreamProtocolError' },
  { bit: ResponseFlag.noClusterFound, short: 'NC', long: 'NoClusterFound' },
  { bit: ResponseFlag.overloadManager, short: 'OM', long: 'OverloadManagerTerminated' },
  { bit: ResponseFlag.dnsResolutionFailed, short: 'DF', long: 'DnsResolutionFailed' },
  { bit: ResponseFlag.downstreamRemoteReset, short: 'DR', long: 'DownstreamRemoteReset' },
];

/** In Envoy's words (`network::DetectedCloseType`). */
export type CloseType = 'Normal' | 'LocalReset' | 'RemoteReset';

/** What logs can say of the trace of a request. Whoever traces keeps it until the logs are written. */
export interface LoggedTrace {
  /** 32 lower-case hex digits. */
  readonly traceIdText: string;
  /** 16 lower-case hex digits, of our span that the caller's request made. */
  readonly spanIdText: string;
  /** Why it is kept; `none` when it is not. */
  readonly reason: SamplingReason;
}

/**
 * One request (or one TCP connection, whose HTTP fields stay empty). Times `…AtMs` are on the reactor's monotonic clock;
 * -1 means it has not happened.
 */
export class StreamInfo {
  /** Wall clock at the first byte, milliseconds since the epoch with fraction. */
  startWallMs = 0;
  startedAtMs = 0;
  /** Here a pass of the request begins: later than the request behind an internal redirect. */
  requestHeadAtMs = -1;
  /** Last byte of the downstream request. */
  requestEndAtMs = -1;
  upstreamRequestStartAtMs = -1;
  upstreamRequestEndAtMs = -1;
  responseHeadAtMs = -1;
  responseEndAtMs = -1;
  downstreamResponseStartAtMs = -1;
  endedAtMs = -1;

  protocol: '' | 'HTTP/1.0' | 'HTTP/1.1' | 'HTTP/2' = '';
  /** 0 when nothing was sent. */
  responseCode = 0;
  /** Envoy's detail word, such as `via_upstream` or `route_not_found`. */
  responseCodeDetails = '';
  responseFlags = 0;
  /** A plain sentence of what went wrong; empty when nothing did. Also in the local reply. */
  failureReason = '';
  connectionTerminationDetails = '';
  /** How a TCP connection ended; a request is over before its connections are. */
  downstreamClose: CloseType = 'Normal';
  upstreamClose: CloseType = 'Normal';

  requestHeaderBytes = 0;
  requestBodyBytes = 0;
  responseHeaderBytes = 0;
  responseBodyBytes = 0;
  upstreamBytesSent = 0;
  upstreamBytesReceived = 0;
  /** Of them, those of heads; -1 where it is not known. */
  upstreamHeadBytesSent = 0;
  upstreamHeadBytesReceived = 0;
  /** Of the last attempt: how long it waited for its connection, -1 before there is one. */
  upstreamWaitMs = -1;
  /** Of the last attempt; 0 when it has none. */
  upstreamConnectionNumber = 0;

  connectionId = 0;
  requestId = '';
  attemptCount = 0;
  /** The path before any rewrite; empty when it was not rewritten. */
  originalPath = '';

  /** `ip:port` strings, made when the connection was accepted. Remote is after XFF, direct is the peer itself. */
  downstreamRemoteAddress = '';
  downstreamDirectRemoteAddress = '';
  downstreamLocalAddress = '';
  upstreamRemoteAddress = '';
  upstreamLocalAddress = '';
  upstreamHostname = '';
  upstreamCluster = '';
  /** `alt_stat_name` of the cluster, or its name. */
  upstreamClusterStatName = '';
  routeName = '';
  virtualHostName = '';
  virtualCluster = '';
  filterChainName = '';
  listenerName = '';
  requestedServerName = '';
  /** Null on a plain connection. */
  downstreamTls: TlsFacts | null = null;
  upstreamTls: TlsFacts | null = null;
  /** Why the downstream connection ended before data could flow; empty when it did not. */
  downstreamTransportFailureReason = '';
  upstreamTransportFailureReason = '';
  /** What is known of the downstream connection; null before it is noted. */
  connection: ConnectionFacts | null = null;
  virtualHostMetadata: Metadata | null = null;
  routeMetadata: Metadata | null = null;
  clusterMetadata: Metadata | null = null;
  endpointMetadata: Metadata | null = null;
  /** Who the sidecars at the ends of this hop say they are: null where they say nothing, or nobody asks. */
  downstreamPeer: Workload | null = null;
  upstreamPeer: Workload | null = null;
  /** Written by filters, by namespace; null until the first. */
  dynamicMetadata: Map<string, Map<string, unknown>> | null = null;
  /** Whether a trace of this request is kept; for the `traceable` log filter. */
  isTraced = false;
  /** Null without a tracing provider. */
  trace: LoggedTrace | null = null;
  isHealthCheck = false;
}
