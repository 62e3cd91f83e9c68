// One connection of plain TCP under a request, without a socket. What it does to real ones is in
// test/integration/connect-termination.test.ts.

import t from 'tap';
import type { ConnectionOwner } from '../../../proxy/cluster/pooled-connection.ts';
import { OutputBuffer } from '../../../proxy/http/http1/output-buffer.ts';
import { BodyFraming, RequestHead } from '../../../proxy/http/message.ts';
import { RawConnection } from '../../../proxy/http/raw-connection.ts';
import type { ResponseReceiver } from '../../../proxy/http/upstream-connection.ts';
import { FakeStream, nativeText } from '../../support/fake-stream.ts';

function begin(method: string, fill: (head: RequestHead) => void = () => undefined) {
  const told: string[] = [];
  const owner = {
    onConnectionEstablished: () => told.push('established'),
    onConnectionClosed: (_: unknown, reason: { kind: string }, wasIdle: boolean) =>
      told.push(`closed ${reason.kind} ${wasIdle ? 'idle' : 'busy'}`),
  } as unknown as ConnectionOwner;
  const receiver = {
    acceptsResponseBody: true,
    onResponseHead: ({ status, framing }: { status: number; framing: number }) =>
      told.push(`${status} ${framing === BodyFraming.untilClose ? 'until its end' : 'of a length'}`),
    onResponseData: (buffer: { bytes: Buffer }, start: number, end: number) =>
      told.push(buffer.bytes.latin1Slice(start, end)),
    onResponseEnd: () => told.push('end'),
    onResponseReset: ({ kind }: { kind: string }) => told.push(kind),
    onRequestDrained: () => told.push('drained'),
  };
  const connection = new RawConnection(owner, new OutputBuffer());
  const stream = new FakeStream();
  connection.stream = stream;
  stream.handler = connection;
  const head = new RequestHead();
  head.method = method;
  fill(head);
  const send = () => connection.sendHead(head, receiver as unknown as ResponseReceiver);
  return { connection, stream, receiver, told, send };
}

t.test('the head is answered and not sent, and bytes pass as they are', async (t) => {
  const { connection, stream, told, send } = begin('CONNECT');
  send();
  connection.sendData(nativeText('ping'), 0, 4);
  connection.sendBytes(Buffer.from('!'));
  connection.endTunnelWriting();
  t.equal(stream.text, 'ping!');
  t.same(stream.calls, ['end']);
  t.equal(stream.receive('pong'), 4);
  connection.onEnd();
  connection.onClosed({ kind: 'local' });
  t.same(told, ['200 until its end', 'pong', 'end', 'closed local idle']);
  t.same(stream.calls, ['end', 'closeGracefully']);
});

t.test('a POST without a body is an end at once, one with a body when that ends', async (t) => {
  const empty = begin('POST');
  empty.send();
  t.same(empty.stream.calls, ['end']);
  const full = begin('POST', (head) => {
    head.framing = BodyFraming.chunked;
  });
  full.send();
  t.same(full.stream.calls, []);
  full.connection.sendEnd();
  t.same(full.stream.calls, ['end']);
});

t.test('nothing is kept for another request, and nothing is repeated', async (t) => {
  const { connection, stream, told, send } = begin('CONNECT');
  connection.onConnected();
  t.same(stream.calls, ['close'], 'who asked is gone');
  t.equal(connection.hasInput(), true);
  t.equal(stream.receive('220 ready'), 9);
  t.same(told, ['established']);
  send();
  t.equal(connection.sawResponseByte, true);
});

t.test('a receiver that is full stops the endpoint, one that gave up hears nothing more', async (t) => {
  const { connection, stream, receiver, told, send } = begin('CONNECT');
  send();
  receiver.acceptsResponseBody = false;
  stream.receive('much');
  t.same(stream.calls, ['pause']);
  connection.resumeResponse();
  connection.abort();
  t.same(stream.calls, ['pause', 'resume', 'reset']);
  connection.onDrained();
  connection.onClosed({ kind: 'local' });
  t.same(told, ['200 until its end', 'much', 'closed local idle']);
});

t.test('a connection that is lost is a cut response', async (t) => {
  const { connection, told, send } = begin('CONNECT');
  send();
  connection.onClosed({ kind: 'error', errno: 104 });
  t.same(told, ['200 until its end', 'closed error busy', 'connection-termination']);
});
