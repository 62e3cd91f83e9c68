// The deadline that a gRPC client sends (`grpc-timeout`), where the route lets it count. A route has one of two forms, of
// which the older replaces `timeout` for gRPC requests and the newer the stream's duration for whoever sends the header.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests

import type { ForwardAction, GrpcTimeout } from '../../config/route.ts';
import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead } from '../http/message.ts';
import { isGrpc } from './route-match.ts';
import { type RequestTimeouts, withinTotal } from './timeouts.ts';

/** The limits of one request. The same object when nothing is asked for. */
export type GrpcTimeoutRule = (configured: RequestTimeouts, head: RequestHead) => RequestTimeouts;

/** Null for a route that does not look at the header. */
export function compileGrpcTimeout({ grpcTimeout, timeoutMs }: ForwardAction): GrpcTimeoutRule | null {
  if (grpcTimeout === undefined) return null;
  if (grpcTimeout.limits === 'stream-duration') {
    return (configured, head) => limitDuration(configured, grpcTimeout, head);
  }
  // A gRPC request without a deadline has the longest that is allowed: mostly what every request has.
  const isSameWithout = grpcTimeout.maxMs === timeoutMs;
  return (configured, head) => {
    const askedMs = grpcTimeoutMs(head.headers);
    if ((isSameWithout && askedMs < 0) || !isGrpc(head)) return configured;
    return limitTotal(configured, grpcTimeout, askedMs);
  };
}

// No deadline, and one of 0, is none here: the longest allowed, or without end.
function limitTotal(configured: RequestTimeouts, { maxMs, offsetMs }: GrpcTimeout, askedMs: number): RequestTimeouts {
  let timeoutMs = Math.max(askedMs, 0);
  if (offsetMs < timeoutMs) timeoutMs -= offsetMs;
  if (maxMs !== 0 && (timeoutMs === 0 || timeoutMs > maxMs)) timeoutMs = maxMs;
  return withinTotal({
    timeoutMs,
    perTryMs: configured.perTryMs,
    perTryIdleMs: configured.perTryIdleMs,
    idleMs: configured.idleMs,
    maxStreamDurationMs: configured.maxStreamDurationMs,
  });
}

// A deadline that has passed is as short as a timer can be: 0 would be no end.
function limitDuration(configured: RequestTimeouts, { maxMs, offsetMs }: GrpcTimeout, head: RequestHead) {
  const askedMs = grpcTimeoutMs(head.headers);
  if (askedMs < 0) return configured;
  const cappedMs = maxMs !== 0 && askedMs > maxMs ? maxMs : askedMs;
  return {
    timeoutMs: configured.timeoutMs,
    perTryMs: configured.perTryMs,
    perTryIdleMs: configured.perTryIdleMs,
    idleMs: configured.idleMs,
    maxStreamDurationMs: Math.max(1, cappedMs - offsetMs),
  };
}

const maxDigits = 8;
/** Timers are 32 bits wide; longer is as good as this. */
const longestMs = 0x7fff_ffff;

/** `100m` and the like in milliseconds, rounded up; -1 when it is absent or no deadline. */
export function grpcTimeoutMs(headers: HeaderTable): number {
  const row = headers.findId(HeaderId.grpcTimeout);
  if (row < 0) return -1;
  const start = headers.valueStart(row);
  const unitAt = headers.valueEnd(row) - 1;
  if (unitAt <= start || unitAt - start > maxDigits) return -1;
  let value = 0;
  for (let at = start; at < unitAt; at++) {
    const digit = headers.bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  const unitMs = unitsMs[String.fromCharCode(headers.bytes[unitAt]!)];
  return unitMs === undefined ? -1 : Math.min(Math.ceil(value * unitMs), longestMs);
}

const unitsMs: { readonly [unit: string]: number | undefined } = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
