// Heads that undici has read, judged by the parser of our own engine.

import fc from 'fast-check';
import t from 'tap';
import { ResponseHeadReader } from '../../../../proxy/engine/undici/response-head-reader.ts';
import { BodyFraming, ResponseHead } from '../../../../proxy/http/message.ts';
import { fieldsOf } from '../../../support/http-fixtures.ts';

const options = { maxHeadersBytes: 8192, maxHeadersCount: 20 };

function read(fields: readonly (readonly [string, string])[], { status = 200, reason = 'OK', method = 'GET' } = {}) {
  const head = new ResponseHead();
  const bytes = fields.flat().map((text) => Buffer.from(text, 'latin1'));
  const error = new ResponseHeadReader(options).read({ status, reason, fields: bytes }, head, method);
  return { head, error };
}

t.test('a head keeps its fields, their order, spelling and bytes', async (t) => {
  const { head, error } = read([
    ['Content-Length', '3'],
    ['X-Mixed', 'caf\xe9'],
    ['empty', ''],
  ]);
  t.equal(error, null);
  t.same(fieldsOf(head.headers), ['Content-Length: 3', 'X-Mixed: caf\xe9', 'empty: ']);
  t.match(head, { status: 200, reason: 'OK', framing: BodyFraming.length, contentLength: 3, keepAlive: true });
});

const refused: readonly (readonly [string, readonly (readonly [string, string])[], number])[] = [
  [
    'two lengths',
    [
      ['Content-Length', '1'],
      ['content-length', '1'],
    ],
    200,
  ],
  [
    'a length and chunks',
    [
      ['Content-Length', '1'],
      ['Transfer-Encoding', 'chunked'],
    ],
    200,
  ],
  [
    'chunks twice',
    [
      ['Transfer-Encoding', 'chunked'],
      ['Transfer-Encoding', 'chunked'],
    ],
    200,
  ],
  ['another transfer encoding', [['Transfer-Encoding', 'gzip, chunked']], 200],
  ['a length that is no number', [['Content-Length', '+1']], 200],
  ['204 with a length', [['Content-Length', '1']], 204],
  ['a name that is no token', [['bad name', '1']], 200],
  ['a value with an end of line', [['a', 'b\r\nc: d']], 200],
  ['a value with a bare end of line', [['a', 'b\nc: d']], 200],
  ['a value that ends the head', [['a', 'b\r\n\r\nHTTP/1.1 200 OK']], 200],
  ['too many fields', new Array<[string, string]>(21).fill(['a', 'b']), 200],
  ['too many bytes', [['a', 'b'.repeat(9000)]], 200],
];

for (const [name, fields, status] of refused) {
  t.test(`${name}: refused, with a sentence`, async (t) => {
    t.match(read(fields, { status }).error?.reason, /\w+ \w+/);
  });
}

t.test('one head after the other, whatever came before', async (t) => {
  const reader = new ResponseHeadReader(options);
  const head = new ResponseHead();
  const ask = (fields: readonly string[]) =>
    reader.read({ status: 200, reason: '', fields: fields.map((text) => Buffer.from(text)) }, head, 'GET');
  t.equal(ask(['a', 'b']), null);
  t.not(ask(['a', 'x'.repeat(9000)]), null);
  t.equal(ask(['c', 'd']), null);
  t.same(fieldsOf(head.headers), ['c: d']);
  t.equal(head.framing, BodyFraming.untilClose);
});

t.test('whatever fields come, a head is refused or is exactly these', async () => {
  const text = fc.string({ unit: 'binary-ascii', maxLength: 30 });
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { maxLength: 6 }), (fields) => {
      const { head, error } = read(fields);
      if (error !== null) return true;
      // The parser drops white space around a value.
      const expected = fields.map(([name, value]) => `${name}: ${value.replaceAll(/^[ \t]+|[ \t]+$/g, '')}`);
      return fieldsOf(head.headers).join('\n') === expected.join('\n');
    }),
    { seed: 1, numRuns: 500 },
  );
});
