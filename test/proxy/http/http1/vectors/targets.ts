// The request line and Host.

import { http10, type Vector, VectorList } from './vector-list.ts';

const list = new VectorList();
export const targetVectors: readonly Vector[] = list.all;

list.refuses('35', 'no Host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n', 400, 'missing_host_header');
list.refuses('35', 'no Host and no field', 'GET / HTTP/1.1\r\n\r\n', 400, 'missing_host_header');
list.refuses('35', 'no Host, absolute form', 'GET http://a/ HTTP/1.1\r\n\r\n', 400, 'missing_host_header');
list.refuses('36', 'two equal Host lines', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400);
list.refuses('36', 'two different Host lines', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400);
for (const host of [
  'a,b',
  'a, b',
  'a b',
  'a/b',
  'u@a',
  'a:b',
  'a:80:80',
  'a:65536',
  ':80',
  '[::1',
  '[::1]x',
  '[::g]',
  '[]',
  'a\\b',
  'a?b',
  'a#b',
  'h\xf6',
  '<a>',
]) {
  list.refuses(
    '37',
    `Host ${JSON.stringify(host)}`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    400,
    'http.invalid_authority',
  );
}
for (const host of [
  'a',
  'a.b.c.',
  'A-b_c',
  '127.0.0.1',
  '127.0.0.1:8080',
  '[::1]',
  '[::ffff:1.2.3.4]:443',
  'a:',
  'a:65535',
  'a%20b',
  '',
]) {
  list.accepts('37', `Host ${JSON.stringify(host)}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { authority: host });
}
list.refuses('38', 'Host h."com"', 'GET / HTTP/1.1\r\nHost: h."com"\r\n\r\n', 400, 'http.invalid_authority');
list.accepts('39', 'absolute form: the host is the target’s', 'GET http://b/x?y HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n', {
  forwarded: 'GET /x?y HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n',
  authority: 'b',
  path: '/x?y',
  scheme: 'http',
});
list.accepts('39', 'absolute form with https', 'GET HTTPS://b:8443 HTTP/1.1\r\nHost: b:8443\r\n\r\n', {
  authority: 'b:8443',
  path: '/',
  scheme: 'https',
});
list.accepts('39', 'absolute form with a query only', 'GET http://b?q HTTP/1.1\r\nHost: b\r\n\r\n', { path: '/?q' });
list.accepts('39', 'absolute form of OPTIONS without a path', 'OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n', {
  path: '*',
});
list.refuses(
  '39',
  'absolute form when it is not allowed',
  'GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n',
  404,
  undefined,
  { allowAbsoluteUrl: false },
);
list.refuses(
  '40',
  'port above 65535 in the target',
  'GET http://foobar.com:1000000 HTTP/1.1\r\nHost: a\r\n\r\n',
  400,
  'http1.invalid_url',
);
list.refuses('41', 'GET *', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.invalid_url');
list.accepts('41', 'OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', {
  path: '*',
  forwarded: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
});
const invalidTargets = [
  'foo',
  '?q',
  'http:/x',
  'http:x',
  'http://',
  'http:///x',
  'http://:80/',
  'http://a@@',
  'http://u@a/',
  'http://a,b/',
  'http://a:x/',
  'http://[::1/',
  'https:///',
  'ftp://a/',
  'a:80',
  '**',
  '*x',
];
for (const target of invalidTargets) {
  list.refuses('42', `target "${target}"`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, 400, 'http1.invalid_url');
}
for (const target of [
  '/',
  '//',
  '//a/b',
  '/a:b@c',
  '/?',
  '/?a=b?c',
  '/%20',
  '/%zz',
  '/a;b=c',
  '/!$&\'()*+,=~[]|^`{}"<>\\',
  '/http://a/b',
  '/..',
  '/.',
]) {
  list.accepts('42', `target "${target}"`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, { path: target });
}
list.refuses('43', 'fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'path_normalization_failed');
list.accepts(
  '43',
  'fragment cut off',
  'GET /a?c#b?d HTTP/1.1\r\nHost: a\r\n\r\n',
  { path: '/a?c', forwarded: 'GET /a?c HTTP/1.1\r\nHost: a\r\n\r\n' },
  { rejectPathWithFragment: false },
);
list.accepts(
  '43',
  'fragment cut off in absolute form',
  'GET http://b/a#b HTTP/1.1\r\nHost: a\r\n\r\n',
  { path: '/a', authority: 'b' },
  { rejectPathWithFragment: false },
);
list.refuses('44', 'raw UTF-8 in the target', 'GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n', 400);
list.refuses('44', 'control character in the target', 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 400);
for (const line of [
  'GET  / HTTP/1.1',
  'GET /  HTTP/1.1',
  'GET\t/ HTTP/1.1',
  'GET /\tHTTP/1.1',
  ' GET / HTTP/1.1',
  'GET / HTTP/1.1 ',
  'GET /',
  'GET',
  'GET / ',
  'GET /a b HTTP/1.1',
]) {
  list.refuses('46', `request line ${JSON.stringify(line)}`, `${line}\r\nHost: a\r\n\r\n`, 400);
}
for (const version of ['HTTP/9.9', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/3.1']) {
  list.refuses('47', `version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`, 505);
}
for (const version of [
  'HTTP/1.01',
  'HTTPS/1.1',
  'HHTTP/1.1',
  'HTTP/A.0',
  'HTTP/1.',
  'HTTP/11',
  'http/1.1',
  'HTTP/1,1',
  'HTTP/1.1x',
  'HTTP/10.1',
]) {
  list.refuses('47', `version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`, 400);
}
list.accepts('47', 'a later minor version is sent on as HTTP/1.1', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.refuses('48', 'HTTP/1.0 by default', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', 426, 'low_version');
list.accepts(
  '48',
  'HTTP/1.0 when accepted',
  'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
  { forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', keepAlive: false },
  http10,
);
list.accepts(
  '48',
  'HTTP/1.0 with keep-alive',
  'GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n',
  { keepAlive: true },
  http10,
);
list.refuses('48', 'HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 400, 'missing_host_header', http10);
list.accepts(
  '48',
  'HTTP/1.0 with a default host',
  'GET / HTTP/1.0\r\nX: y\r\n\r\n',
  { authority: 'd', forwarded: 'GET / HTTP/1.1\r\nX: y\r\nHost: d\r\n\r\n' },
  { acceptHttp10: true, defaultHostForHttp10: 'd' },
);
list.accepts('49', 'one empty line before the request line', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.accepts('49', 'three empty lines before the request line', '\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.refuses('49', 'CR without LF before the request line', '\rGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400);
for (const method of ['BAD', 'FOO', 'get', 'GETT', 'GE', 'M-SEARCHX', 'X'.repeat(40)]) {
  list.refuses('50', `method ${method}`, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`, 400);
}
list.refuses('50', 'method with a character that no token has', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n', 400, undefined, {
  allowCustomMethods: true,
});
list.refuses('50', 'no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n', 400);
list.refuses('50', 'a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00', 400);
list.accepts(
  '50',
  'a custom method when allowed',
  'fOO-1 / HTTP/1.1\r\nHost: a\r\n\r\n',
  { forwarded: 'fOO-1 / HTTP/1.1\r\nHost: a\r\n\r\n' },
  { allowCustomMethods: true },
);
