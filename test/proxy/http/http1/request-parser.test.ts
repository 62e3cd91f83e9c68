// What each row of the table asks is in vectors.test.ts; here, that no input at all is read otherwise than the obvious
// reader reads it, and how the parser behaves towards who calls it.

import fc from 'fast-check';
import t from 'tap';
import { RequestParser } from '../../../../proxy/http/http1/request-parser.ts';
import { RequestHead } from '../../../../proxy/http/message.ts';
import { compareRequest } from '../../../support/codec-comparison.ts';
import { cutAt, cuts, messageLike, requestText } from '../../../support/http1-arbitraries.ts';
import { requestParserOptions } from './codec-run.ts';

t.test('reads any input, cut anywhere, as the reference parser does', async (t) => {
  fc.assert(
    fc.property(messageLike(requestText), cuts, (text, shares) => {
      const difference = compareRequest(text, cutAt(text, shares));
      if (difference !== '') throw new Error(difference);
    }),
    { numRuns: 3000 },
  );
  t.pass('no difference');
});

t.test('input that comes byte by byte costs no more than input that comes whole', async (t) => {
  const parser = new RequestParser(requestParserOptions({}));
  const head = new RequestHead();
  const text = `GET /${'p'.repeat(20_000)} HTTP/1.1\r\nHost: a\r\nX: ${'v'.repeat(30_000)}\r\n\r\n`;
  const { bytes, reads } = countedReads(Buffer.from(text, 'latin1'));
  let taken = 0;
  for (let end = 1; end < text.length; end++) taken += parser.parse(bytes, 0, end, head);
  t.equal(taken, 0, 'a part is never taken');
  t.equal(parser.parse(bytes, 0, text.length, head), text.length);
  t.ok(reads() < 6 * text.length, `${reads()} reads of ${text.length} bytes`);
});

/** A buffer that counts how often one of its bytes is read. */
function countedReads(buffer: Buffer): { readonly bytes: Buffer; readonly reads: () => number } {
  let count = 0;
  const bytes = new Proxy(buffer, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) count++;
      const member = Reflect.get(target, key, target) as unknown;
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  return { bytes, reads: () => count };
}

t.test('says whether a head was begun', async (t) => {
  const parser = new RequestParser(requestParserOptions({}));
  const head = new RequestHead();
  const text = Buffer.from('\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n');
  parser.parse(text, 0, 2, head);
  t.equal(parser.hasPartial, false, 'an empty line begins nothing');
  parser.parse(text, 0, 5, head);
  t.equal(parser.hasPartial, true);
  parser.parse(text, 0, text.length, head);
  t.equal(parser.hasPartial, false);
  parser.parse(text, 2, 5, head);
  parser.reset();
  t.equal(parser.hasPartial, false);
});
