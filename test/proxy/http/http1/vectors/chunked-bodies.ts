// The chunked coding and its trailers.

import { chunked, get, next, post, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const chunkedVectors: readonly Vector[] = list.all;

for (const size of [
  '0x1',
  '+1',
  '1_',
  ' 1',
  '',
  'g',
  '-1',
  '1.',
  '10000000000000000',
  '20000000000000',
  'ffffffffffffffff',
  '00000000000000001',
]) {
  list.refuses('51', `chunk size "${size}"`, chunked(`${size}\r\na\r\n0\r\n\r\n`), 400);
}
list.accepts(
  '51',
  'chunk sizes in either case and with zeros',
  chunked('00A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n'),
  { body: '01234567890123456789' },
);
list.refuses('52', 'space behind the chunk size', chunked('1 \r\na\r\n0\r\n\r\n'), 400);
list.refuses('52', 'tab behind the chunk size', chunked('1\t\r\na\r\n0\r\n\r\n'), 400);
list.accepts('52', 'white space before a chunk extension', chunked('1 \t;a\r\nb\r\n0\r\n\r\n'), { body: 'b' });
list.refuses('53', 'lone CR in a chunk extension', chunked('1;a\rb\r\nx\r\n0\r\n\r\n'), 400);
list.refuses('54', 'lone LF in a chunk extension', chunked('1;a\nZ\r\n0\r\n\r\n'), 400);
list.refuses('54', 'NUL in a chunk extension', chunked('1;a\0\r\nZ\r\n0\r\n\r\n'), 400);
list.refuses('55', 'stray bytes behind a chunk', chunked('1\r\nZZZ0\r\n\r\n'), 400);
list.refuses('55', 'one stray byte behind a chunk', chunked('1\r\nZ \r\n0\r\n\r\n'), 400);
list.refuses('56', 'bare LF behind the chunk size', chunked('1\na\r\n0\r\n\r\n'), 400);
list.refuses('56', 'bare LF behind chunk data', chunked('1\r\na\n0\r\n\r\n'), 400);
list.refuses('56', 'bare LF behind the last chunk', chunked('1\r\na\r\n0\n\r\n'), 400);
list.refuses('56', 'bare LF as the last line', chunked('1\r\na\r\n0\r\n\n'), 400);
list.refuses('56', 'CR and no LF as the last line', chunked('1\r\na\r\n0\r\n\rx'), 400);
list.accepts('57', 'chunk extensions are dropped', chunked('1;a=b;c="d e"\r\nx\r\n0;last\r\n\r\n'), { body: 'x' });
list.accepts(
  '57',
  'extensions of 16 KiB together',
  chunked(`1;${'e'.repeat(8192)}\r\nx\r\n0;${'e'.repeat(8192)}\r\n\r\n`),
  { body: 'x' },
);
list.refuses(
  '57',
  'extensions above 16 KiB together',
  chunked(`1;${'e'.repeat(8192)}\r\nx\r\n0;${'e'.repeat(8193)}\r\n\r\n`),
  400,
);
list.accepts('58', 'trailers are kept apart from the header', chunked('1\r\na\r\n0\r\nX-T: 1\r\ny-t:2\r\n\r\n'), {
  forwarded: post('Transfer-Encoding: chunked'),
  body: 'a',
  trailers: 'X-T: 1\r\ny-t:2\r\n',
});
list.refuses('59', 'trailer without a colon', chunked('0\r\nfoo\r\n\r\n'), 400);
list.refuses('59', 'trailer with a bad name', chunked('0\r\nf o: a\r\n\r\n'), 400);
list.refuses('59', 'folded trailer', chunked('0\r\nfoo: a\r\n b\r\n\r\n'), 400);
list.refuses('59', 'trailer ended by bare LF', chunked('0\r\nfoo: a\n\r\n'), 400);
for (const name of [
  'Content-Length',
  'Transfer-Encoding',
  'Host',
  'Authorization',
  'Connection',
  'set-cookie',
  'TE',
  'Trailer',
]) {
  list.accepts('60', `forbidden trailer ${name}`, chunked(`0\r\nx: y\r\n${name}: 5\r\nz: 1\r\n\r\n`), {
    trailers: 'x: y\r\nz: 1\r\n',
    droppedTrailers: 1,
  });
}
list.waits('61', 'end inside the head', 'GET / HTTP/1.1\r\nHost: a\r\nX');
list.waits('61', 'end before the empty line’s LF', 'GET / HTTP/1.1\r\nHost: a\r\n\r');
list.waits('61', 'end inside a body with a length', post('Content-Length: 3', 'ab'));
list.waits('61', 'end inside a chunk', chunked('5\r\nab'));
list.waits('61', 'end before the last chunk', chunked('2\r\nab\r\n'));
list.waits('61', 'end inside the trailers', chunked('0\r\nX: y\r\n'));
list.accepts('62', 'a pipelined request behind a head', get('X: y') + next, { leftover: next });
list.accepts('62', 'a pipelined request behind a body', post('Content-Length: 3', `abc${next}`), {
  body: 'abc',
  leftover: next,
});
list.accepts('62', 'a pipelined request behind a chunked body', chunked(`3\r\nabc\r\n0\r\n\r\n${next}`), {
  body: 'abc',
  leftover: next,
});
list.accepts('62', 'a pipelined request behind trailers', chunked(`0\r\nX: y\r\n\r\n${next}`), {
  trailers: 'X: y\r\n',
  leftover: next,
});
