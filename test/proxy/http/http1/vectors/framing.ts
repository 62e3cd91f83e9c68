// Which fields say where a message ends, and which of them contradict each other.

import { both, get, http10, invalidEncoding, post, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const framingVectors: readonly Vector[] = list.all;

for (const length of ['0', '1', '6', '100']) {
  list.refuses(
    '1',
    `Content-Length ${length} and chunked`,
    post(`Content-Length: ${length}\r\nTransfer-Encoding: chunked`, '0\r\n\r\n'),
    400,
    both,
  );
  list.refuses(
    '1',
    `chunked and Content-Length ${length}`,
    post(`Transfer-Encoding: chunked\r\nContent-Length: ${length}`, '0\r\n\r\n'),
    400,
    both,
  );
}
list.refuses(
  '2',
  'two Transfer-Encoding lines',
  post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
  501,
  invalidEncoding,
);
for (const coding of [
  'identity',
  'gzip',
  'identity,chunked',
  'identity, chunked',
  'chunked, identity',
  'chunked, chunked',
]) {
  list.refuses(
    '3',
    `Transfer-Encoding ${coding}`,
    post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'),
    501,
    invalidEncoding,
  );
}
for (const coding of ['gzip, chunked', ',chunked', 'chunked,', 'chunked;a=b', '"chunked"', '']) {
  list.refuses(
    '4',
    `Transfer-Encoding "${coding}"`,
    post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'),
    501,
    invalidEncoding,
  );
}
for (const coding of ['xchunked', 'chunkedchunked', '\xa0chunked', 'chunked\xa0', 'chun ked', 'chunke']) {
  list.refuses(
    '5',
    `Transfer-Encoding ${JSON.stringify(coding)}`,
    post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'),
    501,
    invalidEncoding,
  );
}
list.refuses('5', 'Transfer-Encoding with a vertical tab', post('Transfer-Encoding: \x0bchunked', '0\r\n\r\n'), 400);
list.accepts('6', 'Transfer-Encoding Chunked', post('Transfer-Encoding: Chunked', '3\r\nabc\r\n0\r\n\r\n'), {
  forwarded: post('Transfer-Encoding: Chunked'),
  body: 'abc',
});
list.refuses('7', 'space before the colon', post('Transfer-Encoding : chunked', '0\r\n\r\n'), 400);
list.refuses('7', 'tab before the colon', post('Content-Length\t: 3', 'abc'), 400);
list.refuses('8', 'folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n'), 400);
list.refuses(
  '9',
  'Transfer-Encoding in HTTP/1.0 by default',
  'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  426,
  'low_version',
);
list.refuses(
  '9',
  'Transfer-Encoding in accepted HTTP/1.0',
  'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  400,
  undefined,
  http10,
);
list.refuses('10', 'two equal Content-Length', post('Content-Length: 3\r\nContent-Length: 3', 'abc'), 400);
list.refuses('11', 'two different Content-Length', post('Content-Length: 3\r\ncontent-length: 4', 'abcd'), 400);
list.refuses('12', 'Content-Length 3, 3', post('Content-Length: 3, 3', 'abc'), 400);
list.refuses('13', 'empty Content-Length', post('Content-Length:'), 400);
list.refuses('13', 'blank Content-Length', post('Content-Length: \t '), 400);
for (const length of ['+3', '0x3', '3_', '-1', '1Z', '3.0', '3e0', '1 2', '\xb23', '"3"', '3;']) {
  list.refuses('14', `Content-Length ${JSON.stringify(length)}`, post(`Content-Length: ${length}`, 'abc'), 400);
}
for (const length of ['18446744073709551619', '9007199254740992', '99999999999999999999999999999999999999']) {
  list.refuses('15', `Content-Length ${length}`, post(`Content-Length: ${length}`, 'abc'), 400);
}
list.waits('15', 'the largest Content-Length that can be counted', post('Content-Length: 9007199254740991', 'abc'));
list.accepts('16', 'Content-Length 0003 is sent on as 3', post('Content-Length: 0003\r\nX: y', 'abc'), {
  forwarded: post('Content-Length: 3\r\nX: y'),
  body: 'abc',
});
list.accepts('16', 'Content-Length 000 is sent on as 0', post('Content-Length: 000'), {
  forwarded: post('Content-Length: 0'),
});
list.accepts('17', 'POST without framing has no body', post('X: y', 'GET / HTTP/1.1\r\n'), {
  forwarded: post('X: y'),
  leftover: 'GET / HTTP/1.1\r\n',
});
list.accepts('18', 'GET with a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n',
  body: 'abc',
});
const rejected = 'http1.connection_header_rejected';
for (const nominated of [
  'content-length',
  'host',
  'Transfer-Encoding',
  'keep-alive, HOST',
  'x-forwarded-for',
  ':path',
]) {
  list.refuses(
    '19',
    `Connection nominates ${nominated}`,
    post(`Connection: ${nominated}\r\nContent-Length: 3`, 'abc'),
    400,
    rejected,
  );
}
const eleven = Array.from({ length: 11 }, (_, index) => `n${index}`);
list.refuses('19', 'Connection nominates eleven', get(`Connection: ${eleven.join(', ')}`), 400, rejected);
list.refuses(
  '19',
  'eleven nominations in two lines',
  get(`Connection: ${eleven.slice(0, 6).join(',')}\r\nConnection: ${eleven.slice(6).join(',')}`),
  400,
  rejected,
);
list.accepts(
  '19',
  'what Connection nominates is removed',
  get('X-A: 1\r\nConnection: close, x-a ,,\tX-B\r\nX-b: 2\r\nX-ab: 3'),
  {
    forwarded: get('X-ab: 3'),
    keepAlive: false,
  },
);
