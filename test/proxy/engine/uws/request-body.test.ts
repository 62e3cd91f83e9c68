import t from 'tap';
import { NativeBuffer } from '../../../../native/native-buffer.ts';
import { RequestBody } from '../../../../proxy/engine/uws/request-body.ts';
import type { Stream } from '../../../../proxy/http/stream.ts';

/** A stream that takes bytes when it is told to, and the body on its way to it. */
function start(lengthBytes: number) {
  const stream = {
    acceptsRequestBody: true,
    received: '',
    onRequestData(buffer: NativeBuffer, from: number, to: number) {
      stream.received += buffer.bytes.toString('latin1', from, to);
    },
  };
  const body = new RequestBody(new NativeBuffer(4));
  body.begin(lengthBytes);
  const take = (text: string, isLast: boolean) => body.take(stream as unknown as Stream, Buffer.from(text), isLast);
  const deliverKept = () => body.deliverKept(stream as unknown as Stream);
  return { stream, body, take, deliverKept };
}

t.test('pieces reach the stream, larger ones in several', async (t) => {
  const { stream, body, take } = start(10);
  t.ok(take('abcdef', false));
  t.notOk(body.isRead);
  t.ok(take('ghij', true));
  t.ok(body.isRead);
  t.equal(stream.received, 'abcdefghij');
});

t.test('pieces that are not wanted yet are kept in their order', async (t) => {
  const { stream, body, take, deliverKept } = start(6);
  stream.acceptsRequestBody = false;
  take('abc', false);
  stream.acceptsRequestBody = true;
  take('def', true);
  t.ok(body.hasKept);
  t.equal(stream.received, '');
  deliverKept();
  t.equal(stream.received, 'abcdef');
  t.notOk(body.hasKept);
});

t.test('a body with another end than our parser has found is refused, and nothing of that piece goes on', async (t) => {
  const longer = start(4);
  t.notOk(longer.take('abcde', true));
  t.equal(longer.stream.received, '');
  const unended = start(4);
  t.notOk(unended.take('abcd', false));
  const shorter = start(4);
  t.ok(shorter.take('ab', false));
  t.notOk(shorter.take('c', true));
  t.equal(shorter.stream.received, 'ab');
});

t.test('a client that goes on sending what is not wanted does not fill memory', async (t) => {
  const stream = { acceptsRequestBody: false, onRequestData: () => {} };
  const body = new RequestBody(new NativeBuffer(64 * 1024));
  const piece = Buffer.alloc(8 * 1024 * 1024);
  const take = () => body.take(stream as unknown as Stream, piece, false);
  body.begin(1e9);
  t.same([take(), take(), take()], [true, true, false]);
  body.begin(1e9);
  t.same([take(), take()], [true, true], 'the next request begins anew');
  stream.acceptsRequestBody = true;
  body.deliverKept(stream as unknown as Stream);
  stream.acceptsRequestBody = false;
  t.same([take(), take(), take()], [true, true, false], 'what was handed on is kept no more');
  body.drop();
  t.same([take(), take(), take()], [true, true, false], 'and neither is what was dropped');
});
