import t from 'tap';
import { requestBodyErrors } from '../../../../proxy/http/http1/codec-error.ts';
import { TrailerReader } from '../../../../proxy/http/http1/trailer-reader.ts';
import { linesOf } from '../../../support/header-lines.ts';

function read(text: string, maxBytes = 1000, maxCount = 10): TrailerReader {
  const reader = new TrailerReader(requestBodyErrors.trailers, maxBytes, maxCount);
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length && !reader.isDone && reader.error === null; ) at = reader.read(bytes, at, at + 1);
  return reader;
}

t.test('keeps fields in order and spelling, and drops what must not come in trailers', async (t) => {
  const reader = read('X-B: 1\r\nContent-Length: 3\r\nx-a:2\r\nTRAILER: x\r\nHost: b\r\n\r\n');
  t.ok(reader.isDone);
  t.same(linesOf(reader.trailers), ['X-B: 1', 'x-a:2']);
  t.equal(reader.droppedFields, 3);
});

t.test('takes no byte behind the empty line', async (t) => {
  const reader = new TrailerReader(requestBodyErrors.trailers, 1000, 10);
  const bytes = Buffer.from('X: y\r\n\r\nGET /');
  t.equal(reader.read(bytes, 0, bytes.length), 8);
});

t.test('is bounded in bytes and in fields', async (t) => {
  t.equal(read(`X: ${'v'.repeat(20)}\r\n\r\n`, 27).error, null, 'exactly at the limit');
  t.equal(read(`X: ${'v'.repeat(20)}\r\n\r\n`, 26).error?.status, 431);
  t.equal(read('a: 1\r\nb: 2\r\n\r\n', 1000, 2).error, null);
  t.equal(read('a: 1\r\nb: 2\r\nc: 3\r\n\r\n', 1000, 2).error?.status, 431);
});
