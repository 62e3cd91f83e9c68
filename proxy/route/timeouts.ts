// How long a request and its attempts may take: the route's values, or what a trusted client asks for in headers.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/router_filter#http-headers-consumed

import type { ForwardAction, RetryPolicy } from '../../config/route.ts';
import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead } from '../http/message.ts';

/** Milliseconds; 0 is none. */
export interface RequestTimeouts {
  /** From the end of the request to the end of the response. */
  readonly timeoutMs: number;
  /** One attempt, in the same way. */
  readonly perTryMs: number;
  /** No byte of the response for this long within one attempt. */
  readonly perTryIdleMs: number;
  /** No byte in either direction; undefined takes the connection manager's. */
  readonly idleMs: number | undefined;
  /** From the first byte of the request to the last of the response; undefined takes the connection manager's. */
  readonly maxStreamDurationMs: number | undefined;
}

/** The values of the configuration: what a request without headers gets. */
export function compileTimeouts(action: ForwardAction, retry: RetryPolicy | undefined): RequestTimeouts {
  return withinTotal({
    timeoutMs: action.timeoutMs,
    perTryMs: retry?.perTryTimeoutMs ?? 0,
    perTryIdleMs: retry?.perTryIdleTimeoutMs ?? 0,
    idleMs: action.idleTimeoutMs,
    maxStreamDurationMs: action.maxStreamDurationMs,
  });
}

/** Headers that ask for timeouts: obeyed and not passed on. */
export const timeoutHeaderIds: readonly HeaderId[] = [
  HeaderId.xEnvoyUpstreamRqTimeoutMs,
  HeaderId.xEnvoyUpstreamRqPerTryTimeoutMs,
];

/** The values for one request that brings such headers. The same object when they ask for nothing. */
export function requestedTimeouts(configured: RequestTimeouts, head: RequestHead): RequestTimeouts {
  const total = milliseconds(head.headers, HeaderId.xEnvoyUpstreamRqTimeoutMs);
  const perTry = milliseconds(head.headers, HeaderId.xEnvoyUpstreamRqPerTryTimeoutMs);
  if (total < 0 && perTry < 0) return configured;
  return withinTotal({
    timeoutMs: total < 0 ? configured.timeoutMs : total,
    perTryMs: perTry < 0 ? configured.perTryMs : perTry,
    perTryIdleMs: configured.perTryIdleMs,
    idleMs: configured.idleMs,
    maxStreamDurationMs: configured.maxStreamDurationMs,
  });
}

/**
 * Says in `x-envoy-expected-rq-timeout-ms`, where it was told before, how long the endpoint of a further attempt has: less by
 * what earlier attempts took. Out of time is 1 ms, because 0 would mean no end.
 */
export function renewExpectedTimeout({ headers }: RequestHead, timeouts: RequestTimeouts, elapsedMs: number): void {
  const { timeoutMs, perTryMs } = timeouts;
  const row = headers.findId(HeaderId.xEnvoyExpectedRqTimeoutMs);
  if (timeoutMs === 0 || row < 0) return;
  const leftMs = Math.max(1, Math.round(timeoutMs - elapsedMs));
  headers.replaceValue(row, String(perTryMs === 0 ? leftMs : Math.min(perTryMs, leftMs)));
}

/** The whole number in a header; -1 when it is absent or no whole number. */
export function wholeHeader(headers: HeaderTable, id: HeaderId): number {
  const row = headers.findId(id);
  if (row < 0) return -1;
  let value = 0;
  const end = headers.valueEnd(row);
  let at = headers.valueStart(row);
  if (at === end || end - at > 15) return -1;
  for (; at < end; at++) {
    const digit = headers.bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

// Timers of the reactor are 32 bits wide, as they are in most peers; longer is as good as this.
const longestMs = 0x7fff_ffff;

function milliseconds(headers: HeaderTable, id: HeaderId): number {
  return Math.min(wholeHeader(headers, id), longestMs);
}

/** An attempt that may take as long as the whole request needs no timer of its own. */
export function withinTotal(timeouts: RequestTimeouts): RequestTimeouts {
  const { timeoutMs, perTryMs } = timeouts;
  if (timeoutMs === 0 || perTryMs < timeoutMs) return timeouts;
  return {
    timeoutMs,
    perTryMs: 0,
    perTryIdleMs: timeouts.perTryIdleMs,
    idleMs: timeouts.idleMs,
    maxStreamDurationMs: timeouts.maxStreamDurationMs,
  };
}
