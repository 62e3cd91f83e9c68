// The decoder against the reference parser on anything that follows a chunked head, and what a step hands out.

import fc from 'fast-check';
import t from 'tap';
import { BodyDecoder } from '../../../../proxy/http/http1/body-decoder.ts';
import { BodyFraming } from '../../../../proxy/http/message.ts';
import { compareRequest } from '../../../support/codec-comparison.ts';
import { cutAt, cuts } from '../../../support/http1-arbitraries.ts';

const limits = { maxTrailersBytes: 100, maxTrailersCount: 3 };
const head = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

const sizeLine = fc
  .tuple(
    fc.constantFrom('0', '1', '3', '03', 'a', 'A', 'ffffffffffffffff', '1ffffffffffffff', '-1', '0x1', '', 'g'),
    fc.constantFrom('', '', ';', ';a=b', ' ;a', ' ', '\t;"x"', ';\0', ';\r', ';\n', '\xe4'),
    fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', ''),
  )
  .map((parts) => parts.join(''));
const part = fc.oneof(
  sizeLine,
  fc.nat({ max: 20 }).map((size) => `${size.toString(16)}\r\n${'d'.repeat(size)}\r\n`),
  fc.constantFrom(
    'abc\r\n',
    '0\r\n\r\n',
    '\r\n',
    'X-T: 1\r\n',
    'Host: a\r\n',
    'x\r\n',
    'X : y\r\n',
    ' folded\r\n',
    '\n',
  ),
);

t.test('de-chunks any input, cut anywhere, as the reference parser does', async (t) => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), cuts, (parts, shares) => {
      const text = head + parts.join('');
      const difference = compareRequest(text, cutAt(text, shares));
      if (difference !== '') throw new Error(difference);
    }),
    { numRuns: 4000 },
  );
  t.pass('no difference');
});

t.test('a body with a length ends with its last byte, whatever follows', async (t) => {
  const decoder = new BodyDecoder();
  const bytes = Buffer.from('xxabcdeGET /');
  decoder.begin(BodyFraming.length, 5, limits);
  t.equal(decoder.remaining, 5);
  t.equal(decoder.step(bytes, 2, 4), 4);
  t.same([decoder.dataStart, decoder.dataEnd, decoder.isDone, decoder.remaining], [2, 4, false, 3]);
  t.equal(decoder.step(bytes, 4, bytes.length), 7);
  t.same([decoder.dataStart, decoder.dataEnd, decoder.isDone, decoder.remaining], [4, 7, true, 0]);
});

t.test('a body that ends with its connection takes everything and is never done', async (t) => {
  const decoder = new BodyDecoder('response');
  decoder.begin(BodyFraming.untilClose, 0, limits);
  t.equal(decoder.step(Buffer.from('0\r\n\r\n'), 0, 5), 5);
  t.same([decoder.dataStart, decoder.dataEnd, decoder.isDone], [0, 5, false]);
});

t.test('no body is done at once', async (t) => {
  const decoder = new BodyDecoder();
  for (const framing of [BodyFraming.none, BodyFraming.length]) {
    decoder.begin(framing, 0, limits);
    t.ok(decoder.isDone);
  }
});

t.test('says whose fault an invalid body is', async (t) => {
  for (const [message, status] of [
    ['request', 400],
    ['response', 502],
  ] as const) {
    const decoder = new BodyDecoder(message);
    decoder.begin(BodyFraming.chunked, 0, limits);
    decoder.step(Buffer.from('z'), 0, 1);
    t.equal(decoder.error?.status, status);
    t.match(decoder.error?.reason, message);
  }
});

t.test('begins anew after an error, and after trailers', async (t) => {
  const decoder = new BodyDecoder();
  const body = Buffer.from('0\r\nX: y\r\n\r\n');
  decoder.begin(BodyFraming.chunked, 0, limits);
  decoder.step(Buffer.from('z'), 0, 1);
  for (let round = 0; round < 2; round++) {
    decoder.begin(BodyFraming.chunked, 0, limits);
    t.same([decoder.error, decoder.trailers, decoder.isDone], [null, null, false]);
    t.equal(decoder.step(body, 0, body.length), body.length);
    t.same([decoder.isDone, decoder.trailers?.rowCount], [true, 1]);
  }
});
