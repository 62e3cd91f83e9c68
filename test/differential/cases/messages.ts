// Methods, versions, framing, connections: what a message may be.

import { allTo, bootstrap, cluster, httpListener, preserveCase } from '../bootstrap.ts';
import { answer, get, post, requestOf, type Suite } from '../suite.ts';

const chunked = (path: string, ...headers: string[]): string =>
  requestOf('POST', path, ['Transfer-Encoding: chunked', ...headers]);

export const messages: Suite = {
  name: 'messages',
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', allTo('app')),
        httpListener('old', allTo('app'), {
          http_protocol_options: { ...preserveCase, accept_http_10: true, default_host_for_http_10: 'default.example' },
        }),
        httpListener('trailers', allTo('trailers'), {
          http_protocol_options: { ...preserveCase, enable_trailers: true },
        }),
        httpListener('continue', allTo('app'), { proxy_100_continue: true }),
        httpListener('relative', allTo('app'), {
          http_protocol_options: { ...preserveCase, allow_absolute_url: false },
        }),
        httpListener('custom', allTo('app'), {
          http_protocol_options: { ...preserveCase, allow_custom_methods: true },
        }),
        httpListener('lower-case', allTo('lower-case'), { http_protocol_options: {} }),
        httpListener('proper-case', allTo('app'), {
          http_protocol_options: { header_key_format: { proper_case_words: {} } },
        }),
      ],
      [
        cluster('app', [origin]),
        cluster('trailers', [origin], {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http_protocol_options: { ...preserveCase, enable_trailers: true } },
            },
          },
        }),
        cluster('lower-case', [origin], { typed_extension_protocol_options: {} }),
      ],
    ),
  cases: [
    { name: 'a GET', send: get('/x') },
    { name: 'a HEAD', send: requestOf('HEAD', '/', []), origin: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' },
    { name: 'a HEAD without a length', send: requestOf('HEAD', '/', []), origin: 'HTTP/1.1 200 OK\r\n\r\n' },
    {
      name: 'a HEAD of a chunked resource',
      send: requestOf('HEAD', '/', []),
      origin: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    },
    { name: 'a POST with a length', send: post('/', 'abc') },
    { name: 'a POST with chunks', send: `${chunked('/')}3\r\nabc\r\n0\r\n\r\n` },
    { name: 'a POST with chunk extensions', send: `${chunked('/')}3;a=b\r\nabc\r\n0;c\r\n\r\n` },
    { name: 'an empty POST', send: post('/', '') },
    { name: 'a POST without framing', send: requestOf('POST', '/', []) },
    { name: 'an empty chunked POST', send: `${chunked('/')}0\r\n\r\n` },
    { name: 'a GET with a body', send: `${requestOf('GET', '/', ['Content-Length: 3'])}abc` },
    { name: 'a length with leading zeros', send: `${requestOf('POST', '/', ['Content-Length: 0003'])}abc` },
    ...['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE'].map((method) => ({
      name: `a ${method}`,
      send: requestOf(method, '/', []),
    })),
    { name: 'OPTIONS *', send: requestOf('OPTIONS', '*', []) },
    { name: 'a method of its own', send: requestOf('FROB', '/', []), expects: 'end' },
    { name: 'a method of its own, allowed', listener: 'custom', send: requestOf('FROB', '/', []) },
    { name: 'two requests on a connection', send: [get('/1'), get('/2')], expects: 2 },
    { name: 'three pipelined requests', send: get('/1') + get('/2') + get('/3'), expects: 3 },
    { name: 'a request that asks to close', send: get('/', 'Connection: close'), expects: 'end' },
    { name: 'a request that asks to keep alive', send: get('/', 'Connection: keep-alive') },
    { name: 'a response that asks to close', send: get('/'), origin: answer('200 OK', 'x', 'Connection: close') },
    { name: 'an empty line before the request', send: `\r\n${get('/')}` },
    { name: 'HTTP/1.0 is not accepted', send: 'GET / HTTP/1.0\r\nHost: a.example\r\n\r\n', expects: 'end' },
    { name: 'HTTP/1.0', listener: 'old', send: 'GET / HTTP/1.0\r\nHost: a.example\r\n\r\n', expects: 'end' },
    { name: 'HTTP/1.0 without a host', listener: 'old', send: 'GET / HTTP/1.0\r\n\r\n', expects: 'end' },
    {
      name: 'HTTP/1.0 that keeps alive',
      listener: 'old',
      send: [0, 1].map(() => 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n'),
      expects: 2,
    },
    {
      name: 'HTTP/1.0 gets a chunked response',
      listener: 'old',
      send: 'GET / HTTP/1.0\r\nHost: a.example\r\n\r\n',
      expects: 'end',
      origin: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    },
    {
      name: 'an origin of HTTP/1.0',
      send: get('/'),
      origin: [{ onEnd: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok', ending: 'close' }],
    },
    {
      name: 'Expect: 100-continue answered here',
      send: [requestOf('POST', '/', ['Content-Length: 3', 'Expect: 100-continue']), 'abc'],
    },
    {
      name: 'Expect: 100-continue passed on',
      listener: 'continue',
      send: [requestOf('POST', '/', ['Content-Length: 3', 'Expect: 100-continue']), 'abc'],
      origin: [{ onHead: 'HTTP/1.1 100 Continue\r\n\r\n', onEnd: answer('200 OK', 'x') }],
    },
    { name: 'an Expect that nobody knows', send: get('/', 'Expect: y') },
    {
      name: 'a 103 before the response',
      send: get('/'),
      origin: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answer('200 OK', 'x')}`,
    },
    {
      name: 'a 100 that nobody waits for',
      send: get('/'),
      origin: `HTTP/1.1 100 Continue\r\n\r\n${answer('200 OK', 'x')}`,
    },
    { name: 'a response of 204', send: get('/'), origin: 'HTTP/1.1 204 No Content\r\n\r\n' },
    { name: 'a response of 304', send: get('/'), origin: 'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n' },
    {
      name: 'a response of 304 with a length',
      send: get('/'),
      origin: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    },
    { name: 'a response of 205', send: get('/'), origin: answer('205 Reset Content') },
    { name: 'a response with a reason of its own', send: get('/'), origin: answer('200 Very Well', 'x') },
    { name: 'a response with a code nobody knows', send: get('/'), origin: answer('299 What', 'x') },
    { name: 'a response of 599', send: get('/'), origin: answer('599 What', 'x') },
    {
      name: 'a response that ends with its connection',
      send: get('/'),
      origin: [{ onEnd: 'HTTP/1.1 200 OK\r\n\r\nuntil the end', ending: 'close' }],
    },
    {
      name: 'a chunked response',
      send: get('/'),
      origin: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    },
    {
      name: 'a response with trailers, not enabled',
      send: get('/'),
      origin: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    },
    {
      name: 'a response with trailers',
      listener: 'trailers',
      send: get('/', 'TE: trailers'),
      origin:
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n',
    },
    {
      name: 'a request with trailers, not enabled',
      send: `${chunked('/')}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`,
    },
    {
      name: 'a request with trailers',
      listener: 'trailers',
      send: `${chunked('/', 'Trailer: X-Sum')}3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`,
    },
    { name: 'absolute form', send: requestOf('GET', 'http://b.example/y?z', []) },
    { name: 'absolute form without a path', send: requestOf('GET', 'http://b.example', []) },
    { name: 'absolute form of https', send: requestOf('GET', 'https://b.example/', []) },
    { name: 'absolute form where it is not allowed', listener: 'relative', send: requestOf('GET', 'http://b/y', []) },
    { name: 'names in lower case', listener: 'lower-case', send: get('/', 'X-MiXed: a') },
    { name: 'names in proper case', listener: 'proper-case', send: get('/', 'x-mIXed: a') },
    { name: 'CONNECT without a route for it', send: 'CONNECT a.example:80 HTTP/1.1\r\nHost: a.example:80\r\n\r\n' },
    { name: 'an upgrade that is not allowed', send: get('/', 'Connection: Upgrade', 'Upgrade: foo') },
    {
      name: 'an h2c upgrade',
      send: get('/', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: A'),
    },
    { name: 'a websocket that is not allowed', send: get('/', 'Connection: Upgrade', 'Upgrade: websocket') },
    { name: 'a body of 100 kB', send: post('/', 'x'.repeat(100_000)) },
    { name: 'a response of 100 kB', send: get('/'), origin: answer('200 OK', 'y'.repeat(100_000)) },
    {
      name: 'a response before the request has ended',
      send: [requestOf('POST', '/', ['Content-Length: 10']), 'abc'],
      origin: [{ onHead: answer('413 Payload Too Large', 'no') }],
      expects: 'end',
    },
    { name: 'a client that half closes', send: get('/'), clientHalfCloses: true, expects: 'end' },
  ],
};
