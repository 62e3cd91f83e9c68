// As request-parser.test.ts, for responses; and what they say about keeping the connection.

import fc from 'fast-check';
import t from 'tap';
import { ResponseParser } from '../../../../proxy/http/http1/response-parser.ts';
import { ResponseHead } from '../../../../proxy/http/message.ts';
import { compareResponse } from '../../../support/codec-comparison.ts';
import { cutAt, cuts, messageLike, responseText } from '../../../support/http1-arbitraries.ts';

t.test('reads any input, cut anywhere, as the reference parser does', async (t) => {
  const method = fc.constantFrom('GET', 'HEAD', 'CONNECT', 'POST');
  fc.assert(
    fc.property(messageLike(responseText), cuts, method, (text, shares, requestMethod) => {
      const difference = compareResponse(text, cutAt(text, shares), requestMethod);
      if (difference !== '') throw new Error(difference);
    }),
    { numRuns: 3000 },
  );
  t.pass('no difference');
});

function headOf(lines: string): ResponseHead {
  const head = new ResponseHead();
  const bytes = Buffer.from(`${lines}\r\n\r\n`, 'latin1');
  const parser = new ResponseParser({ maxHeadersBytes: 4096, maxHeadersCount: 10 });
  if (parser.parse(bytes, 0, bytes.length, head, 'GET') !== bytes.length) throw new Error(parser.error?.reason);
  return head;
}

t.test('learns how long the peer keeps an idle connection', async (t) => {
  const timeouts = [
    ['Keep-Alive: timeout=5', 5000],
    ['keep-alive: max=100, TIMEOUT=75 , x', 75_000],
    ['Keep-Alive: timeout=0', 0],
    ['Keep-Alive: timeout=', 0],
    ['Keep-Alive: timeout=-5', 0],
    ['Keep-Alive: timeout=5s', 0],
    ['Keep-Alive: timeout="5"', 0],
    ['Keep-Alive: max=5', 0],
    ['X: timeout=5', 0],
  ] as const;
  for (const [line, ms] of timeouts) t.equal(headOf(`HTTP/1.1 200 OK\r\n${line}`).keepAliveTimeoutMs, ms, line);
});

t.test('knows which responses leave the connection open', async (t) => {
  const cases = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 0', true],
    ['HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0', false],
    ['HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive', true],
    ['HTTP/1.1 200 OK', false],
    ['HTTP/1.1 304 Not Modified', true],
  ] as const;
  for (const [lines, keepAlive] of cases) t.equal(headOf(lines).keepAlive, keepAlive, lines);
});
