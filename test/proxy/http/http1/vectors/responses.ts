// What an endpoint answers, by the method that it answers.

import { answer, both, fields, headLimit, invalidEncoding, ok, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const responseVectors: readonly Vector[] = list.all;

list.accepts('72', 'bytes behind a body', ok('Content-Length: 3', 'abcX'), { body: 'abc', leftover: 'X' }, answer);
list.accepts(
  '72',
  'body behind 304',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc',
  { leftover: 'abc', forwarded: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n' },
  answer,
);
list.accepts(
  '72',
  'body behind the answer to HEAD',
  ok('Content-Length: 3', 'abc'),
  { leftover: 'abc' },
  { requestMethod: 'HEAD' },
);
list.refuses(
  '73',
  '204 with a body',
  'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc',
  502,
  'http1.content_length_not_allowed',
  answer,
);
list.refuses(
  '73',
  '204 with Transfer-Encoding',
  'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  502,
  'http1.transfer_encoding_not_allowed',
  answer,
);
list.refuses(
  '73',
  '101 with Transfer-Encoding',
  'HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n',
  502,
  'http1.transfer_encoding_not_allowed',
  answer,
);
list.accepts(
  '73',
  '204 with Content-Length 0',
  'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX: y\r\n\r\n',
  { forwarded: 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n' },
  answer,
);
for (const length of ['0', '1', '100']) {
  list.refuses(
    '74',
    `Content-Length ${length} and chunked in a response`,
    ok(`Content-Length: ${length}\r\nTransfer-Encoding: chunked`, '0\r\n\r\n'),
    502,
    both,
    answer,
  );
  list.refuses(
    '74',
    `chunked and Content-Length ${length} in a response`,
    ok(`Transfer-Encoding: chunked\r\nContent-Length: ${length}`, '0\r\n\r\n'),
    502,
    both,
    answer,
  );
}
list.refuses(
  '74',
  'two Transfer-Encoding lines in a response',
  ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
  502,
  invalidEncoding,
  answer,
);
list.refuses(
  '74',
  'Transfer-Encoding gzip in a response',
  ok('Transfer-Encoding: gzip', 'x'),
  502,
  invalidEncoding,
  answer,
);
list.refuses(
  '74',
  'Transfer-Encoding in an HTTP/1.0 response',
  'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  502,
  undefined,
  answer,
);
list.refuses(
  '75',
  'two equal Content-Length in a response',
  ok('Content-Length: 3\r\nContent-Length: 3', 'abc'),
  502,
  undefined,
  answer,
);
list.refuses('75', 'Content-Length 3, 3 in a response', ok('Content-Length: 3, 3', 'abc'), 502, undefined, answer);
list.refuses('75', 'a bad Content-Length in the answer to HEAD', ok('Content-Length: x'), 502, undefined, {
  requestMethod: 'HEAD',
});
for (const line of ['100 Continue', '102 Processing', '103 Early Hints', '199 Odd']) {
  const head = `HTTP/1.1 ${line}\r\nX: y\r\n\r\n`;
  list.accepts(
    '76',
    `${line} is a head of its own`,
    head + ok('Content-Length: 0'),
    { status: Number(line.slice(0, 3)), forwarded: head, leftover: ok('Content-Length: 0') },
    answer,
  );
}
list.accepts(
  '77',
  'a body without framing ends with its connection',
  ok('X: y', 'abc'),
  { body: 'abc', untilClose: true, keepAlive: false },
  answer,
);
list.waits('78', 'end inside a chunked response', ok('Transfer-Encoding: chunked', '5\r\nab'), answer);
list.waits('78', 'end inside a response with a length', ok('Content-Length: 5', 'ab'), answer);
list.refuses('79', 'NUL in a response value', ok('X: a\0b'), 502, undefined, answer);
list.refuses('79', 'control character in a response value', ok('X: a\x01b'), 502, undefined, answer);
list.refuses('79', 'bad name in a response', ok('X Y: ab'), 502, undefined, answer);
list.refuses(
  '79',
  'control character in the reason phrase',
  'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n',
  502,
  undefined,
  answer,
);
for (const line of [
  'HTTP/1.01 200 OK',
  'XTTP/1.1 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 2x0 OK',
  'HTTP/1.1 099 OK',
  'http/1.1 200 OK',
  ' HTTP/1.1 200 OK',
  'HTTP/1.1\t200 OK',
  'ICY 200 OK',
  'HTTP/1.1 -20 OK',
]) {
  list.refuses(
    '79',
    `status line ${JSON.stringify(line)}`,
    `${line}\r\nContent-Length: 0\r\n\r\n`,
    502,
    undefined,
    answer,
  );
}
list.refuses('79', 'bare LF in a response', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 502, undefined, answer);
list.refuses(
  '79',
  'an empty line before a response',
  '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  502,
  undefined,
  answer,
);
list.accepts(
  '79',
  'a status line without a reason',
  'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
  { forwarded: ok('Content-Length: 0') },
  answer,
);
list.accepts(
  '79',
  'a status line without a reason and its space',
  'HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n',
  { status: 299 },
  answer,
);
list.accepts(
  '79',
  'the reason phrase is sent on as received',
  'HTTP/1.1 200 Fein gemacht\xe4\r\nContent-Length: 0\r\n\r\n',
  { forwarded: 'HTTP/1.1 200 Fein gemacht\xe4\r\nContent-Length: 0\r\n\r\n' },
  answer,
);
const largeResponse = (bytes: number) =>
  ok(`Content-Length: 0\r\nX: ${'v'.repeat(bytes - ok('Content-Length: 0\r\nX: ').length)}`);
list.accepts(
  '80',
  'response head at the limit',
  largeResponse(headLimit),
  { forwarded: largeResponse(headLimit) },
  answer,
);
list.refuses(
  '80',
  'response head above the limit',
  largeResponse(headLimit + 1),
  502,
  'http1.headers_too_large',
  answer,
);
list.refuses('80', '101 fields in a response', ok(fields(101)), 502, 'http1.too_many_headers', answer);
list.refuses('81', 'obsolete line folding in a response', ok('X: foo\r\n bar'), 502, undefined, answer);
list.accepts(
  '83',
  'the answer to HEAD keeps its Content-Length',
  ok('Content-Length: 5'),
  { forwarded: ok('Content-Length: 5') },
  { requestMethod: 'HEAD' },
);
list.accepts(
  '83',
  'the answer to HEAD keeps its Transfer-Encoding',
  ok('Transfer-Encoding: chunked'),
  { forwarded: ok('Transfer-Encoding: chunked') },
  { requestMethod: 'HEAD' },
);
list.accepts(
  '83',
  '304 without Content-Length gets none',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  { forwarded: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n' },
  answer,
);
list.accepts(
  '83',
  '204 gets nothing',
  'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n',
  { forwarded: 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n' },
  answer,
);
list.accepts(
  '83',
  '2xx to CONNECT has no framing, chunked first',
  ok('Transfer-Encoding: chunked\r\nContent-Length: 5\r\nX: y', 'tunnel'),
  { forwarded: ok('X: y'), leftover: 'tunnel' },
  { requestMethod: 'CONNECT' },
);
list.accepts(
  '83',
  '2xx to CONNECT has no framing',
  ok('Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX: y', 'tunnel'),
  { forwarded: ok('X: y'), leftover: 'tunnel' },
  { requestMethod: 'CONNECT' },
);
list.accepts(
  '83',
  'hop-by-hop fields of a response are removed',
  ok('Connection: close, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nContent-Length: 1\r\nX: y', 'a'),
  { forwarded: ok('Content-Length: 1\r\nX: y'), body: 'a', keepAlive: false },
  answer,
);
