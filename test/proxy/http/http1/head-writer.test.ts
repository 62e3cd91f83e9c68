// Whatever is written can be read again, and is what was meant.

import fc from 'fast-check';
import t from 'tap';
import {
  chunkHeaderBound,
  lastChunkBound,
  requestHeadBound,
  responseHeadBound,
  writeChunkHeader,
  writeLastChunk,
  writeRequestHead,
  writeResponseHead,
} from '../../../../proxy/http/http1/head-writer.ts';
import { BodyFraming, RequestHead, ResponseHead } from '../../../../proxy/http/message.ts';
import { tableOf } from '../../../support/header-lines.ts';
import { plainFields } from '../../../support/http1-arbitraries.ts';
import { readRequest, readResponse } from '../../../support/reference-parser.ts';

function written(bound: number, write: (target: Buffer, offset: number) => number): string {
  const target = Buffer.alloc(bound + 3);
  const end = write(target, 3);
  if (end > target.length) throw new Error(`${end - 3} bytes written, at most ${bound} announced`);
  return target.latin1Slice(3, end);
}

const framing = fc.constantFrom(BodyFraming.none, BodyFraming.length, BodyFraming.chunked);
const length = fc.nat({ max: 2 ** 31 });

t.test('a request head that is written is read as the same head', async (t) => {
  fc.assert(
    fc.property(plainFields, framing, length, fc.boolean(), (fields, kind, contentLength, hasHost) => {
      const lines = [...(hasHost ? ['Host: a.b:80'] : []), ...fields.map(([name, value]) => `${name}: ${value}`)];
      const head = Object.assign(new RequestHead(), { method: 'POST', path: '/a?b', authority: 'a.b:80' });
      Object.assign(head, { framing: kind, contentLength, headers: tableOf(...lines) });
      const text = written(requestHeadBound(head), (target, offset) => writeRequestHead(head, target, offset));
      const framingLine = framingLines(contentLength)[kind];
      if (!text.endsWith(`${framingLine}\r\n`)) throw new Error(`no ${framingLine} in ${text}`);
      // Without its framing the head is the whole message.
      const message = readRequest(`${text.slice(0, -2 - framingLine.length)}\r\n`);
      if (typeof message === 'string') throw new Error(text);
      t.same(message.firstLine, ['POST', '/a?b', 'HTTP/1.1']);
      t.same(message.fields, [[hasHost ? 'Host' : 'host', 'a.b:80'], ...fields]);
    }),
    { numRuns: 300 },
  );
});

function framingLines(contentLength: number): readonly [string, string, string] {
  return ['', `content-length: ${contentLength}\r\n`, 'transfer-encoding: chunked\r\n'];
}

t.test('CONNECT goes out in authority form', async (t) => {
  const head = Object.assign(new RequestHead(), { method: 'CONNECT', authority: 'a:443' });
  const text = written(requestHeadBound(head), (target, offset) => writeRequestHead(head, target, offset));
  t.equal(text, 'CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n');
});

t.test('a response goes out with the reason it came with, else with the standard one', async (t) => {
  const lines = [
    [200, '', 'HTTP/1.1 200 OK'],
    [200, 'Fein', 'HTTP/1.1 200 Fein'],
    [404, 'Not Found', 'HTTP/1.1 404 Not Found'],
    [299, '', 'HTTP/1.1 299 Unknown'],
    [999, 'r'.repeat(100), `HTTP/1.1 999 ${'r'.repeat(100)}`],
  ] as const;
  for (const [status, reason, line] of lines) {
    const head = Object.assign(new ResponseHead(), { status, reason, framing: BodyFraming.length, contentLength: 3 });
    const text = written(responseHeadBound(head), (target, offset) => writeResponseHead(head, target, offset));
    t.equal(text, `${line}\r\ncontent-length: 3\r\n\r\n`);
    t.ok(typeof readResponse(`${text}abc`, { requestMethod: 'GET', isEnd: false }) !== 'string');
  }
});

t.test('framing that the fields say is not said twice', async (t) => {
  const head = Object.assign(new ResponseHead(), { status: 200, framing: BodyFraming.length, contentLength: 3 });
  Object.assign(head, { headers: tableOf('Content-Length: 3') });
  const text = written(responseHeadBound(head), (target, offset) => writeResponseHead(head, target, offset));
  t.equal(text, 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n');
});

t.test('chunk headers are hexadecimal, of any size', async (t) => {
  for (const size of [1, 9, 10, 15, 16, 255, 256, 65_535, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
    const text = written(chunkHeaderBound, (target, offset) => writeChunkHeader(target, offset, size));
    t.equal(text, `${size.toString(16)}\r\n`);
  }
});

t.test('the last chunk has the trailers and the empty line', async (t) => {
  t.equal(
    written(lastChunkBound(null), (target, offset) => writeLastChunk(target, offset, null)),
    '0\r\n\r\n',
  );
  const trailers = tableOf('X: y', 'z:1');
  const text = written(lastChunkBound(trailers), (target, offset) => writeLastChunk(target, offset, trailers));
  t.equal(text, '0\r\nX: y\r\nz:1\r\n\r\n');
});
