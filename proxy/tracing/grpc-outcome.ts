// The status of a gRPC request: in its trailers, or in the head of a response without body.
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses

import type { FormatContext } from '../format/format-context.ts';
import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import { isGrpc } from './span-attributes.ts';

/** -1 where the request is not gRPC's, or there was no status. */
export function receivedGrpcStatus({ request, response, responseTrailers }: FormatContext): number {
  if (request === null || !isGrpc(request)) return -1;
  const inTrailers = responseTrailers === null ? -1 : statusField(responseTrailers);
  if (inTrailers >= 0 || response === null) return inTrailers;
  return statusField(response.headers);
}

// -1 when there is none, or none of one to three digits.
function statusField(headers: HeaderTable): number {
  const row = headers.findId(HeaderId.grpcStatus);
  if (row < 0) return -1;
  const end = headers.valueEnd(row);
  const start = headers.valueStart(row);
  if (end === start || end - start > 3) return -1;
  let status = 0;
  for (let at = start; at < end; at++) {
    const digit = headers.bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return -1;
    status = status * 10 + digit;
  }
  return status;
}
