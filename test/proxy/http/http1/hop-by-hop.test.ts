import t from 'tap';
import { sanitizeRequest, sanitizeResponse } from '../../../../proxy/http/http1/hop-by-hop.ts';
import { RequestHead, ResponseHead } from '../../../../proxy/http/message.ts';
import { linesOf, tableOf } from '../../../support/header-lines.ts';

function requestOf(upgrade: string, ...lines: string[]): RequestHead {
  return Object.assign(new RequestHead(), { upgrade, headers: tableOf(...lines) });
}

t.test('what belongs to one connection does not go on', async (t) => {
  const head = requestOf(
    '',
    'Host: a',
    'Connection: keep-alive, x-mine',
    'Keep-Alive: timeout=5',
    'Proxy-Connection: x',
    'X-Mine: 1',
    'x-MINE: 2',
    'X-Mine-2: 3',
    'TE: gzip',
    'Transfer-Encoding: chunked',
  );
  t.equal(sanitizeRequest(head, true), null);
  t.same(linesOf(head.headers), ['Host: a', 'X-Mine-2: 3', 'Transfer-Encoding: chunked']);
});

t.test('an upgrade goes on with its nomination where it may, and is gone where it may not', async (t) => {
  const lines = ['Connection: Upgrade, close', 'Upgrade: websocket'];
  const kept = requestOf('websocket', ...lines);
  sanitizeRequest(kept, true);
  t.same(linesOf(kept.headers), ['Upgrade: websocket', 'Connection: Upgrade']);
  const dropped = requestOf('websocket', ...lines);
  sanitizeRequest(dropped, false);
  t.same(linesOf(dropped.headers), []);
  const h2c = requestOf('h2c', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x');
  sanitizeRequest(h2c, true);
  t.same([h2c.upgrade, linesOf(h2c.headers)], ['', []]);
});

t.test('who nominates what frames or routes is refused, and who nominates too many', async (t) => {
  for (const list of ['Host', 'a, CONTENT-LENGTH', 'transfer-encoding', ':authority', 'x-forwarded-for']) {
    t.equal(sanitizeRequest(requestOf('', `Connection: ${list}`))?.details, 'http1.connection_header_rejected', list);
  }
  const names = Array.from({ length: 11 }, (_, index) => `n${index}`);
  t.equal(sanitizeRequest(requestOf('', `Connection: ${names.slice(1).join(',')}`)), null, 'ten are fine');
  t.equal(sanitizeRequest(requestOf('', `Connection: ${names.join(',')}`))?.status, 400);
});

t.test('a response loses the same, but nobody is refused for what it nominates', async (t) => {
  const head = Object.assign(new ResponseHead(), {
    headers: tableOf('Connection: content-length, x-a', 'Content-Length: 3', 'X-A: 1', 'Keep-Alive: timeout=3'),
  });
  sanitizeResponse(head);
  t.same(linesOf(head.headers), ['Content-Length: 3']);
});
