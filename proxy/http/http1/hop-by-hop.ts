// Removes what belongs to one connection and must not be sent on (RFC 9110 §7.6.1). Transfer-Encoding stays where the
// body is chunked: it goes on chunked.
//
// What Connection nominates is removed too, but for the fields that frame, route or vouch for the message: a peer that
// could have those removed would make us and the next hop see different messages, or a request without its origin.

import { equalsIgnoreCase, HeaderId, identifyHeader, lowerCase } from '../header-name.ts';
import { encodeLine, type HeaderTable, headerIdSet } from '../header-table.ts';
import type { RequestHead, ResponseHead } from '../message.ts';
import { Byte } from './byte-class.ts';
import { type CodecError, requestErrors } from './codec-error.ts';
import { ConnectionOption, connectionOptions, ListItems } from './field-value.ts';

/** Envoy's bound: more is an attack on whoever searches the header for them. */
const maxNominations = 10;

const connectionUpgrade = encodeLine('Connection', 'Upgrade');
const trailersBytes = Buffer.from('trailers');
const h2c = 'h2c';

const items = new ListItems();

const hopByHop = headerIdSet([
  HeaderId.connection,
  HeaderId.keepAlive,
  HeaderId.proxyConnection,
  HeaderId.te,
  HeaderId.upgrade,
  HeaderId.http2Settings,
]);

/** Fields whose nomination is refused. The X-Forwarded ones as in Envoy: without them the origin is masked. */
const protectedNames = headerIdSet([
  HeaderId.host,
  HeaderId.contentLength,
  HeaderId.transferEncoding,
  HeaderId.xForwardedFor,
  HeaderId.xForwardedHost,
  HeaderId.xForwardedProto,
]);

/**
 * Readies a received request for the next hop. An offer to switch to h2c is taken out and the request goes on as a
 * plain one (`head.upgrade` is empty then); any other upgrade stays in when `keepUpgrade`. Returns why the request is
 * refused, null when it is not.
 */
export function sanitizeRequest(head: RequestHead, keepUpgrade = false): CodecError | null {
  if (head.upgrade === h2c) head.upgrade = '';
  const { headers } = head;
  let nominations = 0;
  for (let row = headers.findId(HeaderId.connection); row >= 0; row = headers.findId(HeaderId.connection, row + 1)) {
    const count = countNominations(headers, row);
    if (count < 0) return requestErrors.connectionRejected;
    nominations += count;
  }
  if (nominations > maxNominations) return requestErrors.connectionRejected;
  removeHopByHop(headers, keepUpgrade && head.upgrade !== '');
  return null;
}

/** Readies a received response for the client. `keepUpgrade` is for the 101 that accepts an upgrade. */
export function sanitizeResponse(head: ResponseHead, keepUpgrade = false): void {
  removeHopByHop(head.headers, keepUpgrade);
}

/** How many names a Connection row lists; -1 when one of them may not be nominated. */
function countNominations(headers: HeaderTable, row: number): number {
  const { bytes } = headers;
  let count = 0;
  items.begin(headers, row);
  while (items.next()) {
    count++;
    if (protectedNames.has[identifyHeader(bytes, items.start, items.end)] === 1) return -1;
    // A colon is in no field name; it is in the names of HTTP/2's pseudo-headers.
    for (let index = items.start; index < items.end; index++) if (bytes[index] === Byte.colon) return -1;
  }
  return count;
}

function removeHopByHop(headers: HeaderTable, keepUpgrade: boolean): void {
  if (!headers.mayHave(hopByHop)) return;
  const { rowCount } = headers;
  let keepsUpgradeRow = false;
  for (let row = 0; row < rowCount; row++) {
    const id = headers.id(row);
    if (hopByHop.has[id] === 0) continue;
    if (id === HeaderId.te) keepTrailersOnly(headers, row);
    else if (id === HeaderId.upgrade && keepUpgrade) keepsUpgradeRow = true;
    else {
      // Most say `keep-alive` or `close` and nominate nothing.
      const nominates = id === HeaderId.connection && (connectionOptions(headers, row) & ConnectionOption.other) !== 0;
      if (nominates) removeNominated(headers, row);
      headers.removeRow(row);
    }
  }
  // The next hop takes an Upgrade only from a header that also nominates it (RFC 9110 §7.8).
  if (keepsUpgradeRow) headers.appendLine(connectionUpgrade);
}

/** The one value of TE that is not about the transfer to us: the client understands trailers (RFC 9110 §10.1.4). */
function keepTrailersOnly(headers: HeaderTable, row: number): void {
  if (headers.valueEquals(row, trailersBytes)) return;
  if (listHas(headers, row, trailersBytes)) headers.replaceValue(row, 'trailers');
  else headers.removeRow(row);
}

function listHas(headers: HeaderTable, row: number, lower: Uint8Array): boolean {
  items.begin(headers, row);
  while (items.next()) {
    if (items.end - items.start === lower.length && equalsIgnoreCase(headers.bytes, items.start, lower)) return true;
  }
  return false;
}

function removeNominated(headers: HeaderTable, row: number): void {
  items.begin(headers, row);
  while (items.next()) removeNamed(headers, items.start, items.end);
}

/** Removes the rows whose name is the store's `bytes[start, end)`; what is hop-by-hop anyway has its own rules. */
function removeNamed(headers: HeaderTable, start: number, end: number): void {
  const { bytes } = headers;
  const id = identifyHeader(bytes, start, end);
  if (protectedNames.has[id] === 1 || hopByHop.has[id] === 1) return;
  for (let row = 0; row < headers.rowCount; row++) {
    if (headers.id(row) !== id) continue;
    const lineStart = headers.lineStart(row);
    if (headers.nameEnd(row) - lineStart !== end - start) continue;
    let same = 0;
    while (same < end - start && lowerCase[bytes[lineStart + same]!] === lowerCase[bytes[start + same]!]) same++;
    if (same === end - start) headers.removeRow(row);
  }
}
