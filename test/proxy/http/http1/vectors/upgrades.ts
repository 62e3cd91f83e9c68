// Upgrade, CONNECT and Expect.

import { get, http10, next, post, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const upgradeVectors: readonly Vector[] = list.all;

for (const lines of [
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
  'Connection: HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
  'Connection: Upgrade\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMAAABk',
]) {
  list.accepts('64', `an offer of h2c is taken out: ${JSON.stringify(lines)}`, get(`${lines}\r\nX: y`), {
    upgrade: '',
    forwarded: get('X: y'),
  });
}
list.accepts(
  '65',
  'an upgrade is named in lower case',
  get('Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket/13, foo'),
  { upgrade: 'websocket/13' },
);
list.accepts('65', 'the first of two upgrades is offered', get('Upgrade: foo\r\nUpgrade: bar\r\nConnection: Upgrade'), {
  upgrade: 'foo',
});
list.accepts('65', 'an upgrade that Connection does not nominate is none', get('Upgrade: foo'), {
  upgrade: '',
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.accepts(
  '65',
  'an upgrade in HTTP/1.0 is none',
  'GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n',
  { upgrade: '' },
  http10,
);
list.accepts(
  '66',
  'an upgrade with a body keeps its framing',
  post('Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 3', `abc${next}`),
  { upgrade: 'foo', body: 'abc', leftover: next },
);
function connect(target: string, lines = 'Host: a:443'): string {
  return `CONNECT ${target} HTTP/1.1\r\n${lines}\r\n\r\n`;
}
list.refuses(
  '68',
  'CONNECT with Transfer-Encoding',
  connect('a:443', 'Host: a:443\r\nTransfer-Encoding: chunked'),
  501,
  'http1.transfer_encoding_not_allowed',
);
list.refuses(
  '68',
  'CONNECT with a body',
  connect('a:443', 'Host: a:443\r\nContent-Length: 1'),
  400,
  'http1.body_disallowed',
);
list.accepts('68', 'CONNECT with an empty body', connect('a:443', 'Host: a:443\r\nContent-Length: 0'), {
  authority: 'a:443',
  path: '',
  forwarded: connect('a:443'),
});
list.accepts('68', 'CONNECT’s host is its target', connect('b:443'), {
  authority: 'b:443',
  forwarded: connect('b:443', 'Host: b:443'),
});
list.accepts('68', 'bytes behind CONNECT are not its body', `${connect('a:443')}early`, { leftover: 'early' });
for (const target of ['http://a/', 'http://a:80', '/', 'a', 'a:', '*', ':443', 'u@a:443', 'a:99999']) {
  list.refuses('68', `CONNECT ${target}`, connect(target), 400, 'http1.invalid_url');
}
list.accepts('69', 'Expect: 100-continue', post('Expect: 100-Continue\r\nContent-Length: 3', 'abc'), {
  expectsContinue: true,
  body: 'abc',
  forwarded: post('Expect: 100-Continue\r\nContent-Length: 3'),
});
list.accepts(
  '69',
  'Expect: 100-continue in HTTP/1.0 is ignored',
  'POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n',
  { expectsContinue: false },
  http10,
);
list.accepts('70', 'another expectation', post('Expect: y'), { expectsContinue: false, forwarded: post('Expect: y') });
list.accepts('70', 'TE goes on with trailers only', get('TE: gzip, Trailers'), { forwarded: get('TE: trailers') });
list.accepts(
  '70',
  'TE without trailers is removed',
  get('TE: gzip\r\nKeep-Alive: timeout=3\r\nProxy-Connection: keep-alive\r\nX: y'),
  { forwarded: get('X: y') },
);
