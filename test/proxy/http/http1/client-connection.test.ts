// One exchange after the other over a stream that the test plays: what is written when, and after which endings the
// connection may carry another exchange.

import t from 'tap';
import type { NativeBuffer } from '../../../../native/native-buffer.ts';
import type { ConnectionOwner } from '../../../../proxy/cluster/pooled-connection.ts';
import type { UpstreamFailure } from '../../../../proxy/cluster/upstream-failure.ts';
import type { HeaderTable } from '../../../../proxy/http/header-table.ts';
import { Http1ClientConnection } from '../../../../proxy/http/http1/client-connection.ts';
import { OutputBuffer } from '../../../../proxy/http/http1/output-buffer.ts';
import { BodyFraming, RequestHead, type ResponseHead } from '../../../../proxy/http/message.ts';
import type { ResponseReceiver } from '../../../../proxy/http/upstream-connection.ts';
import { FakeStream, nativeText } from '../../../support/fake-stream.ts';

class Receiver implements ResponseReceiver {
  readonly events: string[] = [];
  acceptsResponseBody = true;
  readonly responseSink = null;
  failure: UpstreamFailure | undefined;
  onHead: (() => void) | undefined;

  onInterimHead(head: ResponseHead): void {
    this.events.push(`interim ${head.status}`);
  }
  onResponseHead(head: ResponseHead): void {
    this.events.push(`head ${head.status}`);
    this.onHead?.();
  }
  onResponseData(buffer: NativeBuffer, start: number, end: number): void {
    this.events.push(`data ${buffer.bytes.latin1Slice(start, end)}`);
  }
  onResponseRelayed(): void {}
  onResponseEnd(_trailers: HeaderTable | null): void {
    this.events.push('end');
  }
  onResponseReset(failure: UpstreamFailure): void {
    this.failure = failure;
    this.events.push(`reset ${failure.kind}`);
  }
  onRequestDrained(): void {
    this.events.push('drained');
  }
}

class Scene implements ConnectionOwner {
  turn = 1;
  readonly variant = null;
  readonly events: string[] = [];
  readonly stream = new FakeStream();
  readonly connection: Http1ClientConnection;

  constructor() {
    const options = { maxHeadersBytes: 4096, maxHeadersCount: 10 };
    this.connection = new Http1ClientConnection(this, new OutputBuffer(), options);
    this.connection.stream = this.stream;
    this.stream.handler = this.connection;
    this.connection.onConnected();
  }
  onConnectionEstablished(): void {
    this.events.push('established');
  }
  onConnectionIdle(): void {
    this.events.push('idle');
  }
  onConnectionClosed(_connection: Http1ClientConnection, _reason: unknown, wasIdle: boolean): void {
    this.events.push(wasIdle ? 'closed idle' : 'closed');
  }

  /** Sends a request, and lets a turn pass. */
  ask(given: Partial<RequestHead> = {}): Receiver {
    const receiver = new Receiver();
    const head = Object.assign(new RequestHead(), { method: 'GET', path: '/', authority: 'a' }, given);
    this.connection.sendHead(head, receiver);
    this.connection.flush();
    this.turn++;
    return receiver;
  }
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const withBody = { method: 'POST', framing: BodyFraming.length, contentLength: 3 };

t.test('a head and its first bytes leave together', async (t) => {
  const scene = new Scene();
  const head = Object.assign(new RequestHead(), { path: '/', authority: 'a' }, withBody);
  scene.connection.sendHead(head, new Receiver());
  scene.connection.sendData(nativeText('abc'), 0, 3);
  scene.connection.sendEnd(null);
  t.same(scene.stream.writes, []);
  scene.connection.flush();
  t.same(scene.stream.writes, ['POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc']);
});

t.test('a connection carries exchange after exchange, however the bytes come', async (t) => {
  const scene = new Scene();
  for (const cut of [ok.length, 1, 20, ok.length - 1]) {
    const receiver = scene.ask();
    const taken = scene.stream.receive(ok.slice(0, cut));
    if (cut < ok.length) scene.stream.receive(ok.slice(taken));
    t.equal(receiver.events.join(' ').replace('data o data k', 'data ok'), 'head 200 data ok end', `cut at ${cut}`);
  }
  t.same(scene.events, ['established', 'idle', 'idle', 'idle', 'idle']);
});

/** What an endpoint sends, what the receiver is told, and whether the connection serves on. */
const endings = [
  { sent: ok, told: ['head 200', 'data ok', 'end'], isReused: true },
  { sent: `${ok}X`, told: ['head 200', 'data ok', 'end'], isReused: false },
  { sent: ok + ok, told: ['head 200', 'data ok', 'end'], isReused: false },
  { sent: ok.replace('\r\n', '\r\nConnection: close\r\n'), told: ['head 200', 'data ok', 'end'], isReused: false },
  { sent: 'HTTP/1.1 204 No Content\r\n\r\n', told: ['head 204', 'end'], isReused: true },
  { sent: 'HTTP/1.1 204 No Content\r\n\r\nX', told: ['head 204', 'end'], isReused: false },
  {
    sent: `HTTP/1.1 103 Early Hints\r\n\r\n${ok}`,
    told: ['interim 103', 'head 200', 'data ok', 'end'],
    isReused: true,
  },
  { sent: 'HTTP/1.1 101 Switching Protocols\r\n\r\n', told: ['reset protocol-error'], isReused: false },
  { sent: 'no HTTP', told: ['reset protocol-error'], isReused: false },
  {
    sent: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz',
    told: ['head 200', 'reset protocol-error'],
    isReused: false,
  },
] as const;

for (const { sent, told, isReused } of endings) {
  t.test(`${JSON.stringify(sent.slice(0, 60))} ${isReused ? 'leaves' : 'ends'} the connection`, async (t) => {
    const scene = new Scene();
    const receiver = scene.ask();
    scene.stream.receive(sent);
    t.same(receiver.events, told);
    t.equal(scene.events.includes('idle'), isReused);
    t.equal(scene.stream.isClosed, !isReused);
  });
}

t.test('input of the turn in which the request was sent is not its answer', async (t) => {
  const scene = new Scene();
  const receiver = scene.ask();
  scene.turn--;
  scene.stream.receive(ok);
  t.same(receiver.events, ['reset connection-termination']);
  t.notOk(scene.connection.sawResponseByte, 'so that the request may be sent again');
  t.ok(scene.stream.isClosed);
});

t.test('bytes without an exchange end the connection', async (t) => {
  const scene = new Scene();
  t.equal(scene.stream.receive(ok), ok.length);
  t.same(scene.stream.calls, ['close']);
});

t.test('a response that is whole before its request leaves a connection that is not used again', async (t) => {
  const scene = new Scene();
  const receiver = scene.ask(withBody);
  scene.stream.receive(ok);
  t.same(receiver.events, ['head 200', 'data ok', 'end']);
  t.ok(scene.stream.isClosed);
});

t.test('101 makes a tunnel of a request that offered one, when the whole of it was sent', async (t) => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n';
  const early = new Scene();
  const refused = early.ask({ ...withBody, upgrade: 'x' });
  early.stream.receive(switching);
  t.same(refused.events, ['reset protocol-error']);
  const scene = new Scene();
  const receiver = scene.ask({ upgrade: 'x' });
  receiver.onInterimHead = () => scene.connection.startTunnel();
  scene.stream.receive(`${switching}raw`);
  scene.connection.onEnd();
  t.same(receiver.events, ['data raw', 'end']);
  t.same(scene.stream.calls, ['closeGracefully']);
});

t.test('a peer that ends tells so to whom it concerns', async (t) => {
  const cases = [
    { sent: '', told: ['reset connection-termination'] },
    { sent: 'HTTP/1.1 200', told: ['reset connection-termination'] },
    { sent: ok.slice(0, -1), told: ['head 200', 'data o', 'reset connection-termination'] },
    { sent: 'HTTP/1.1 200 OK\r\n\r\nab', told: ['head 200', 'data ab', 'end'] },
  ];
  for (const { sent, told } of cases) {
    const scene = new Scene();
    const receiver = scene.ask();
    if (sent !== '') scene.stream.receive(sent);
    scene.connection.onEnd();
    t.same(receiver.events, told);
    t.ok(scene.stream.isClosed);
  }
});

t.test('a receiver that does not take more is not given more', async (t) => {
  const scene = new Scene();
  const receiver = scene.ask();
  receiver.onHead = () => (receiver.acceptsResponseBody = false);
  t.equal(scene.stream.receive(ok), ok.length - 2, 'the body stays with the stream');
  t.same(scene.stream.calls, ['pause']);
  scene.connection.resumeResponse();
  receiver.acceptsResponseBody = true;
  scene.stream.receive('ok');
  t.same(receiver.events, ['head 200', 'data ok', 'end']);
});

t.test('an exchange that is given up sends nothing more and resets', async (t) => {
  const scene = new Scene();
  const receiver = new Receiver();
  scene.connection.sendHead(Object.assign(new RequestHead(), { path: '/', authority: 'a' }), receiver);
  scene.connection.abort();
  scene.connection.flush();
  t.equal(scene.stream.text, '');
  scene.connection.onClosed({ kind: 'local' });
  t.same([scene.stream.calls, receiver.events, scene.events.at(-1)], [['reset'], [], 'closed']);
});
