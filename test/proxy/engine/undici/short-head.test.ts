// The short form of a head that undici reads: read again by our parser, it frames the same body on the same connection.

import fc from 'fast-check';
import t from 'tap';
import { shortenHead } from '../../../../proxy/engine/undici/short-head.ts';
import { ResponseParser } from '../../../../proxy/http/http1/response-parser.ts';
import { ResponseHead } from '../../../../proxy/http/message.ts';

const limits = { maxHeadersBytes: 60_000, maxHeadersCount: 100 };

function parse(bytes: Buffer, start: number): { head: ResponseHead; length: number } {
  const head = new ResponseHead();
  return { head, length: new ResponseParser(limits).parse(bytes, start, bytes.length, head, 'GET') };
}

/** A head behind `before`, with a body's first bytes behind it. */
function shortened(text: string, before = '') {
  const bytes = Buffer.from(`${before}${text}body`, 'latin1');
  const { head, length } = parse(bytes, before.length);
  const from = shortenHead(bytes, before.length, before.length + length, head);
  return { from, head, text: bytes.toString('latin1', from), bytes };
}

t.test('says the status and what frames the body, and leaves all around it alone', (t) => {
  const long = 'HTTP/1.1 404 Not Found\r\nServer: s\r\nContent-Length: 1234567\r\nX-A: abc\r\n\r\n';
  const { text, from, bytes } = shortened(long, 'before');
  t.equal(text, 'HTTP/1.1 404 \r\nContent-Length: 1234567\r\n\r\nbody');
  t.equal(from > 6, true);
  t.equal(bytes.toString('latin1', 0, 6), 'before');
  const chunked = 'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nX: 1\r\n\r\n';
  t.equal(shortened(chunked).text, 'HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nbody');
  t.end();
});

t.test('a head that is short already, or whose body no field frames, stays as it is', (t) => {
  for (const text of [
    'HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n',
    'HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100)}\r\n\r\n`,
    `HTTP/1.1 204 No Content\r\nX-Long: ${'x'.repeat(100)}\r\n\r\n`,
    `HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100)}\r\nContent-Length: 0\r\n\r\n`,
  ]) {
    t.same([shortened(text).from, shortened(text).text], [0, `${text}body`]);
  }
  t.end();
});

t.test('frames the same body on the same connection, whatever the head was', (t) => {
  const field = fc
    .stringMatching(/^[A-Za-z]{1,12}: [ -~]{0,30}$/)
    .filter((line) => !/^(content-l|trans|conn|te:|keep)/i.test(line));
  const framing = fc.oneof(
    fc.maxSafeNat().map((length) => `Content-Length: ${length}`),
    fc.constant('Transfer-Encoding: chunked'),
  );
  const connection = fc.constantFrom('Connection: close', 'Connection: keep-alive', 'X: y');
  const heads = fc.record({
    status: fc.integer({ min: 200, max: 999 }).filter((status) => status !== 204 && status !== 304),
    fields: fc.array(field, { maxLength: 5 }),
    framing,
    connection,
  });
  fc.assert(
    fc.property(heads, ({ status, fields, framing, connection }) => {
      const lines = [`HTTP/1.1 ${status} Reason`, ...fields, framing, connection];
      const { head, bytes, from } = shortened(`${lines.join('\r\n')}\r\n\r\n`);
      const again = parse(bytes, from);
      const said = (one: ResponseHead) => [one.status, one.framing, one.contentLength, one.keepAlive];
      return `${said(again.head)}` === `${said(head)}` && bytes.toString('latin1', from + again.length) === 'body';
    }),
  );
  t.end();
});
