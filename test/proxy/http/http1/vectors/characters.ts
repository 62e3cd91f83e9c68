// Ends of lines, blanks, and the characters of names and values.

import { chunked, get, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const characterVectors: readonly Vector[] = list.all;

list.refuses('20', 'bare LF as every line end', 'GET / HTTP/1.1\nHost: a\n\n', 400);
list.refuses('20', 'bare LF behind a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400);
list.refuses('20', 'bare LF as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 400);
list.refuses('20', 'bare LF before the request line', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400);
list.refuses('21', 'bare CR in a value', get('X: a\rb'), 400);
list.refuses('21', 'two CR before LF', get('X: a\r'), 400);
list.refuses('21', 'bare CR in a name', get('X\ry: a'), 400);
list.refuses('21', 'CR and no LF as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\rX', 400);
const nulHead = 'GET /ab HTTP/1.1\r\nHost: ab\r\nX-Y: z w\r\n\r\n';
for (let at = 0; at < nulHead.length; at++) {
  list.refuses('22', `NUL at offset ${at} of a head`, `${nulHead.slice(0, at)}\0${nulHead.slice(at)}`, 400);
}
const nulTrailers = 'X-T: a b\r\n\r\n';
for (let at = 0; at < nulTrailers.length; at++) {
  list.refuses(
    '22',
    `NUL at offset ${at} of trailers`,
    chunked(`0\r\n${nulTrailers.slice(0, at)}\0${nulTrailers.slice(at)}`),
    400,
  );
}
for (const byte of ['\x03', '\x12', '\x1f', '\x7f', '\x0b', '\x0c']) {
  list.refuses(
    '23',
    `control character ${JSON.stringify(byte)} in a value`,
    get(`X: a${byte}b`),
    400,
    'http1.invalid_characters',
  );
}
list.accepts('24', 'obs-text in a value is sent on byte for byte', get('X: \x80\xe4\xff'), {
  forwarded: get('X: \x80\xe4\xff'),
});
list.accepts('24', 'tabs and spaces around and in a value are sent on', get('X:\t a\t b \t'), {
  forwarded: get('X:\t a\t b \t'),
});
list.accepts('24', 'an empty value is sent on', get('X:\r\nY: '), { forwarded: get('X:\r\nY: ') });
list.refuses('25', 'obs-text in a name', get('f\xf6\xf6: a'), 400);
list.refuses('25', 'obs-text in a trailer name', chunked('0\r\nf\xf6: a\r\n\r\n'), 400);
list.refuses('26', 'obsolete line folding with a space', get('X: foo\r\n bar'), 400);
list.refuses('26', 'obsolete line folding with a tab', get('X: foo\r\n\tbar: baz'), 400);
list.refuses('27', 'first field begins with a space', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400);
list.refuses('27', 'first field begins with a tab', 'GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n', 400);
list.refuses('28', 'empty field name', get(': v'), 400);
list.refuses('29', 'field without a colon', get('foo'), 400);
for (const byte of ['[', '(', '"', ' ', '/', '@', '{', ',', ';', '=', '\\']) {
  list.refuses('29', `${byte} in a name`, get(`a${byte}b: c`), 400);
}
list.accepts('29', 'every token character in a name', get("!#$%&'*+-.^`|~019azAZ: c"), {
  forwarded: get("!#$%&'*+-.^`|~019azAZ: c"),
});
list.accepts('30', 'underscore in a name by default', get('a_b: c'), { forwarded: get('a_b: c') });
list.accepts(
  '30',
  'underscore in a name when dropped',
  get('a_b: c\r\nd: e\r\n_: f'),
  { forwarded: get('d: e'), droppedHeaders: 2 },
  { underscores: 'drop-header' },
);
list.refuses('30', 'underscore in a name when refused', get('a_b: c'), 400, 'http1.unexpected_underscore', {
  underscores: 'reject-request',
});
for (const name of ['Content_Length', 'content_length', 'transfer_encoding', 'Transfer_Encoding']) {
  for (const underscores of ['allow', 'drop-header', 'reject-request'] as const) {
    list.refuses(
      '30b',
      `${name} with underscores: ${underscores}`,
      get(`${name}: 0`),
      400,
      'http1.unexpected_underscore',
      { underscores },
    );
  }
}
