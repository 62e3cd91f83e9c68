// Methods as interned strings: a known method costs no string, and an unknown one is noticed on the way.
// The list is Envoy's, which is http_parser's. Methods are case-sensitive (RFC 9110 §9.1): `get` is not GET.

const knownMethods =
  'GET POST PUT DELETE HEAD OPTIONS PATCH CONNECT TRACE ' +
  'COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL ' +
  'REPORT MKACTIVITY CHECKOUT MERGE ' +
  'M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PURGE MKCALENDAR LINK UNLINK SOURCE';

/** No known method is longer (`UNSUBSCRIBE`); a longer token is refused before its end is seen. */
export const longestMethod = 11;

interface Method {
  readonly text: string;
  readonly bytes: Uint8Array;
}

// By first letter: one to six candidates, the common ones first.
const methodsByLetter: Method[][] = [];
for (let byte = 0; byte < 256; byte++) methodsByLetter.push([]);
for (const text of knownMethods.split(' ')) {
  methodsByLetter[text.charCodeAt(0)]!.push({ text, bytes: Buffer.from(text) });
}

/** The known method in `bytes[start, end)`; empty when it is none. */
export function knownMethod(bytes: Buffer, start: number, end: number): string {
  const candidates = methodsByLetter[bytes[start]!]!;
  for (let index = 0; index < candidates.length; index++) {
    const method = candidates[index]!;
    if (method.bytes.length === end - start && startsWith(bytes, start, method.bytes)) return method.text;
  }
  return '';
}

function startsWith(bytes: Buffer, start: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++) {
    if (bytes[start + index] !== wanted[index]) return false;
  }
  return true;
}
