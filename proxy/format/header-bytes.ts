// How large the headers of a message are in Envoy's count: names and values, with those that HTTP/2 writes in place of the
// first line, and nothing between them. In what is logged and sent to collectors.

import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';

// Envoy counts names and values, pseudo-headers with them.
export function requestHeadersBytes(head: RequestHead | null): number {
  if (head === null) return 0;
  const { method, authority, path, scheme } = head;
  const pseudo = method.length + authority.length + path.length + scheme.length;
  return pseudo + ':method:authority:path:scheme'.length + fieldBytes(head.headers);
}

/** The same of a response, whose status has three digits. */
export function responseHeadersBytes(head: ResponseHead | null): number {
  return head === null ? 0 : ':status200'.length + fieldBytes(head.headers);
}

/** Of names and values alone. */
export function fieldBytes(headers: HeaderTable): number {
  let bytes = 0;
  for (let row = 0; row < headers.rowCount; row++) {
    // It is counted as `:authority`.
    if (headers.isRemoved(row) || headers.id(row) === HeaderId.host) continue;
    bytes += headers.nameEnd(row) - headers.lineStart(row) + headers.valueEnd(row) - headers.valueStart(row);
  }
  return bytes;
}
