// What went wrong with a request. For the status of spans the semantic conventions have the word: a server's errors are its
// own, a client sees more as one.
// https://opentelemetry.io/docs/specs/semconv/http/http-spans/#status https://opentelemetry.io/docs/specs/semconv/rpc/grpc/

import type { StreamInfo } from '../http/stream-info.ts';
import type { AttemptTrace } from './request-trace.ts';
import { shortFlags } from './span-attributes.ts';
import { SpanKind } from './span-field.ts';

/** Not answered, or not to the end, by an endpoint or a route. */
export function isCutShort({ responseCode, responseCodeDetails }: StreamInfo): boolean {
  return responseCode === 0 || isOwnReply(responseCodeDetails);
}

/** In the endpoint's place. A redirect and a direct response are what was configured. */
export function isOwnReply(responseCodeDetails: string): boolean {
  return responseCodeDetails !== 'via_upstream' && responseCodeDetails !== 'direct_response';
}

export function isSpanError(kind: SpanKind, info: StreamInfo, grpcStatus: number): boolean {
  const { responseCode } = info;
  if (responseCode === 0 || responseCode >= (kind === SpanKind.client ? 400 : 500)) return true;
  if (grpcStatus > 0 && (kind === SpanKind.client || isServerFault(grpcStatus))) return true;
  // The head promised well, and then the response was cut.
  return responseCode < 400 && isCutShort(info);
}

export function isAttemptError({ status, failure }: AttemptTrace, grpcStatus: number): boolean {
  return failure !== '' || status >= 400 || grpcStatus > 0;
}

/** A word of few values: the flags of the response, the status of gRPC, that of HTTP. */
export function errorType(info: StreamInfo, grpcStatus: number): string {
  if (info.responseFlags !== 0) return shortFlags(info.responseFlags);
  if (grpcStatus > 0) return String(grpcStatus);
  return info.responseCode === 0 ? '_OTHER' : String(info.responseCode);
}

// UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
function isServerFault(grpcStatus: number): boolean {
  switch (grpcStatus) {
    case 2:
    case 4:
    case 12:
    case 13:
    case 14:
    case 15:
      return true;
    default:
      return false;
  }
}
