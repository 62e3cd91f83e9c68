// A request's head in undici's form. What undici writes itself is left out: the fields that frame the body, and those of
// the connection. It takes names and values as strings, latin1, and sends them in this order, with `host` and
// `connection` in front and `content-length` or `transfer-encoding` behind.

import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { HeaderId } from '../../http/header-name.ts';
import { type HeaderTable, headerIdSet } from '../../http/header-table.ts';
import { RememberedText } from '../../http/http1/remembered-text.ts';
import type { RequestHead } from '../../http/message.ts';

/** False for CONNECT, `OPTIONS *` and requests that wait for 100 Continue. */
export function isCarriedByUndici({ method, path, headers }: RequestHead): boolean {
  return path.charCodeAt(0) === slash && method !== 'CONNECT' && headers.findId(HeaderId.expect) < 0;
}

const slash = 0x2f;

/** undici's, and one that its types leave out. */
interface RequestOptions extends Dispatcher.DispatchOptions {
  readonly servername: string;
}

/** `body` is null when there is none. */
export function requestOptions(head: RequestHead, body: Readable | null): RequestOptions {
  const { method, path } = head;
  return {
    method,
    path,
    headers: fieldsOf(head),
    body,
    blocking: false,
    upgrade: head.upgrade === '' ? null : offeredBy(head),
    // Without it undici closes the connection behind a HEAD, which some endpoints answer with a body, and behind bodies of
    // methods that seldom have one. Here bytes that nobody asked for are found out.
    reset: false,
    // Of TLS, which is not undici's here. Else it is taken from `host` by a regular expression, a fortieth of all CPU.
    servername: 'endpoint',
  };
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
    fields.push(nameOf(headers, row), headers.value(row));
  }
  // Else undici names the endpoint's address.
  if (headers.findId(HeaderId.host) < 0) fields.push('host', authority);
  return fields;
}

/** The same few names come with every request, and undici takes longer to look up a string that it has not seen. */
function nameOf(headers: HeaderTable, row: number): string {
  const { bytes } = headers;
  const start = headers.lineStart(row);
  const end = headers.nameEnd(row);
  const place = (end - start + bytes[start]! * 5 + bytes[end - 1]! * 3) % names.length;
  return names[place]!.read(bytes, start, end);
}

/** Each is found by its length and its ends; of names that share a place, the last one is remembered. */
const names: readonly RememberedText[] = Array.from({ length: 128 }, () => new RememberedText());
