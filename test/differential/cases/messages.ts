// Methods, versions, framing: what a message may be.

import { allTo, bootstrap, cluster, httpListener } from '../bootstrap.ts';
import { get, post, requestOf, type Suite } from '../suite.ts';

export const messages: Suite = {
  name: 'messages',
  bootstrap: (origin) => bootstrap([httpListener('main', allTo('app'))], [cluster('app', [origin])]),
  cases: [
    { name: 'a GET', send: get('/x') },
    { name: 'a HEAD', send: requestOf('HEAD', '/', []), origin: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n' },
    { name: 'a POST with a length', send: post('/', 'abc') },
    {
      name: 'a POST with chunks',
      send: `${requestOf('POST', '/', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\n\r\n`,
    },
    { name: 'an empty POST', send: post('/', '') },
    { name: 'OPTIONS *', send: requestOf('OPTIONS', '*', []) },
    { name: 'two requests on a connection', send: [get('/1'), get('/2')], expects: 2 },
    { name: 'a request that asks to close', send: get('/', 'Connection: close'), expects: 'end' },
    { name: 'a response of 204', send: get('/'), origin: 'HTTP/1.1 204 No Content\r\n\r\n' },
    {
      name: 'a response that ends with its connection',
      send: get('/'),
      origin: [{ onEnd: 'HTTP/1.1 200 OK\r\n\r\nuntil the end', ending: 'close' }],
    },
  ],
};
