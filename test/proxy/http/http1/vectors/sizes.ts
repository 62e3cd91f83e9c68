// How large a head may be: the limit is on the whole of it, with request line and empty line.

import { chunked, fields, get, headLimit, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const sizeVectors: readonly Vector[] = list.all;

function headOf(bytes: number): string {
  const frame = get('X: ');
  return get(`X: ${'v'.repeat(bytes - frame.length)}`);
}

list.accepts('31', 'head of exactly 60 KiB', headOf(headLimit), { forwarded: headOf(headLimit) });
list.refuses('31', 'head of 60 KiB and a byte', headOf(headLimit + 1), 431, 'http1.headers_too_large');
list.refuses('31', 'head of 200 KiB', headOf(200 * 1024), 431, 'http1.headers_too_large');
list.refuses(
  '31',
  'request target of 60 KiB',
  `GET /${'p'.repeat(headLimit)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  431,
  'http1.headers_too_large',
);
list.refuses('31', 'empty lines without end', '\r\n'.repeat(headLimit), 431, 'http1.headers_too_large');
list.accepts('32', '100 fields', get(fields(99)), { forwarded: get(fields(99)) });
list.refuses('32', '101 fields', get(fields(100)), 431, 'http1.too_many_headers');
list.refuses('33', 'trailers above 60 KiB', chunked(`0\r\nX: ${'v'.repeat(headLimit)}\r\n\r\n`), 431);
list.accepts('33', '100 trailers', chunked(`0\r\n${fields(100)}\r\n\r\n`), { trailers: `${fields(100)}\r\n` });
list.refuses('33', '101 trailers', chunked(`0\r\n${fields(101)}\r\n\r\n`), 431);
list.accepts('34', 'a field named __proto__', get('__proto__: x'), { forwarded: get('__proto__: x') });
