// A request's head in undici's form. What undici writes itself is left out: the fields that frame the body, and those of
// the connection. It takes names and values as strings, latin1, and sends them in this order, with `host` and
// `connection` in front and `content-length` or `transfer-encoding` behind.

import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { HeaderId } from '../../http/header-name.ts';
import { headerIdSet } from '../../http/header-table.ts';
import type { RequestHead } from '../../http/message.ts';

/** False for CONNECT, `OPTIONS *` and requests that wait for 100 Continue. */
export function isCarriedByUndici({ method, path, headers }: RequestHead): boolean {
  return path.charCodeAt(0) === slash && method !== 'CONNECT' && headers.findId(HeaderId.expect) < 0;
}

const slash = 0x2f;

/** `body` is null when there is none. */
export function requestOptions(head: RequestHead, body: Readable | null): Dispatcher.DispatchOptions {
  const fields = fieldsOf(head);
  const { method, path } = head;
  if (head.upgrade !== '') return { method, path, headers: fields, body, blocking: false, upgrade: offeredBy(head) };
  // Without it undici closes the connection behind a HEAD: some endpoints answer it with a body. Here such bytes are
  // found out as any that nobody asked for.
  if (method === 'HEAD') return { method, path, headers: fields, body, blocking: false, reset: false };
  return { method, path, headers: fields, body, blocking: false };
}

/** The protocol as the client spelt it. */
function offeredBy({ headers, upgrade }: RequestHead): string {
  const row = headers.findId(HeaderId.upgrade);
  return row < 0 ? upgrade : headers.value(row);
}

const writtenByUndici = headerIdSet([
  HeaderId.connection,
  HeaderId.keepAlive,
  HeaderId.transferEncoding,
  HeaderId.upgrade,
]);

function fieldsOf({ headers, authority }: RequestHead): string[] {
  const fields: string[] = [];
  for (let row = 0; row < headers.rowCount; row++) {
    if (headers.isRemoved(row) || writtenByUndici.has[headers.id(row)] === 1) continue;
    fields.push(headers.name(row), headers.value(row));
  }
  // Else undici names the endpoint's address.
  if (headers.findId(HeaderId.host) < 0) fields.push('host', authority);
  return fields;
}
