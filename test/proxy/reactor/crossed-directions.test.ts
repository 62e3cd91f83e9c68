// Under encryption a read may have to send first, and a write to receive. A transport that does so on purpose, over a real
// socket: the connection waits for what is needed, goes on when it is there, and turns nothing over meanwhile.

import t, { type Test } from 'tap';
import { Errno } from '../../../native/errno.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, receive, send, setSendBuffer } from '../../../native/socket.ts';
import { Connection } from '../../../proxy/reactor/connection.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { PlainTransport } from '../../../proxy/transport/plain-transport.ts';
import { type Transport, TransportWant } from '../../../proxy/transport/transport.ts';
import { RecordingHandler, startReactor, turns } from '../../support/reactor-fixtures.ts';
import { connectedPair } from '../../support/socket-pair.ts';

const scratch = new NativeBuffer(1 << 20);

/** What OpenSSL does for an answer to a key update, or in the middle of a handshake. */
class CrossingTransport implements Transport {
  readonly fd: number;
  readonly isPlain = false;
  readonly hasPending = false;
  readonly problem = '';
  want: TransportWant = TransportWant.nothing;
  /** A byte must be sent before the next is read; a byte must be received before the next is written. */
  owesByte = false;
  awaitsByte = false;
  isClosed = false;
  writesAfterClose = 0;
  readonly #plain: PlainTransport;

  constructor(fd: number) {
    this.fd = fd;
    this.#plain = new PlainTransport(fd);
  }

  establish(): number {
    return 0;
  }

  read(buffer: NativeBuffer, offset: number, length: number): number {
    if (this.owesByte && send(this.fd, scratch, 0, 1) === -Errno.EAGAIN) return this.#blocked(TransportWant.write);
    this.owesByte = false;
    const count = this.#plain.read(buffer, offset, length);
    return count === -Errno.EAGAIN ? this.#blocked(TransportWant.read) : count;
  }

  write(buffer: NativeBuffer, offset: number, length: number): number {
    if (this.isClosed) this.writesAfterClose++;
    if (this.awaitsByte && receive(this.fd, scratch, 0, 1) !== 1) return this.#blocked(TransportWant.read);
    this.awaitsByte = false;
    const count = this.#plain.write(buffer, offset, length);
    return count === -Errno.EAGAIN ? this.#blocked(TransportWant.write) : count;
  }

  #blocked(want: TransportWant): number {
    this.want = want;
    return -Errno.EAGAIN;
  }

  look(): number {
    return this.#plain.look();
  }

  shutdownWrite(): number {
    if (this.awaitsByte) return this.#blocked(TransportWant.read);
    return this.#plain.shutdownWrite();
  }

  close(): void {
    this.isClosed = true;
    this.#plain.close();
  }
}

t.test('a read that must send first waits for room, and not for the input that is there', async (t) => {
  const { reactor, transport, ours, peer } = fixture(t);
  ours.write('x'.repeat(8_000_000));
  t.ok(ours.stream.pendingWriteBytes > 0);
  transport.owesByte = true;
  put(peer, 'input');
  await turns(reactor, 3);
  t.ok((await turnsIn20Ms(reactor)) < 60);
  t.equal(ours.text, '');
  ours.stream.resumeReading();
  t.ok((await turnsIn20Ms(reactor)) < 60, 'asking for input again does not change it');
  const drained = drain(reactor, peer, 8_000_001);
  t.equal(await ours.received(5), 'input');
  await drained;
  put(peer, ', more');
  t.equal(await ours.received(11), 'input, more');
  t.equal(ours.events.filter((event) => event === 'drained').length, 1);
});

t.test('a write that must receive first waits for input, paused or not', async (t) => {
  for (const isPaused of [false, true]) {
    const { reactor, transport, ours, peer } = fixture(t);
    if (isPaused) ours.stream.pauseReading();
    transport.awaitsByte = true;
    ours.write('output');
    t.equal(ours.stream.pendingWriteBytes, 6);
    t.ok((await turnsIn20Ms(reactor)) < 60, 'room is no reason to try again');
    put(peer, '!');
    await ours.saw('drained');
    t.equal(await drain(reactor, peer, 6), 'output');
    put(peer, 'input');
    ours.stream.resumeReading();
    t.equal(await ours.received(5), 'input');
  }
});

t.test('a graceful close whose reads must send first goes on when there is room', async (t) => {
  const { reactor, transport, ours, peer } = fixture(t);
  ours.write('x'.repeat(8_000_000));
  ours.stream.closeGracefully(60_000);
  transport.owesByte = true;
  put(peer, 'what nobody wants');
  t.ok((await turnsIn20Ms(reactor)) < 60);
  await drain(reactor, peer, 8_000_000);
  // The byte that is owed finds room before the end, or too late.
  t.ok((await restOf(reactor, peer)) <= 1, 'the end is sent behind the last byte');
  close(peer);
  await ours.saw('closed');
  t.same(ours.events, ['closed local']);
});

t.test('… and whose end must receive first, when there is input', async (t) => {
  const { reactor, transport, ours, peer } = fixture(t);
  transport.awaitsByte = true;
  ours.stream.closeGracefully(60_000);
  t.ok((await turnsIn20Ms(reactor)) < 60, 'room is no reason to try again');
  transport.awaitsByte = false;
  put(peer, '!');
  await turns(reactor);
  t.equal(receive(peer, scratch, 0, 1), 0);
  close(peer);
  await ours.saw('closed');
});

t.test('one of which epoll cannot be told any more ends, and writes nothing more', async (t) => {
  const { reactor, transport, ours, peer } = fixture(t);
  ours.write('x'.repeat(8_000_000));
  transport.owesByte = true;
  put(peer, 'input');
  await turns(reactor, 3);
  Object.assign(reactor, { modify: () => -Errno.ENOMEM });
  for (let reads = 0; reads < 1000 && !transport.isClosed; reads++) {
    receive(peer, scratch, 0, scratch.length);
    await turns(reactor, 1);
  }
  await ours.saw('closed');
  t.equal(transport.writesAfterClose, 0);
});

interface Fixture {
  readonly reactor: Reactor;
  readonly transport: CrossingTransport;
  readonly ours: RecordingHandler;
  readonly peer: number;
}

function fixture(t: Test): Fixture {
  const reactor = startReactor(t, { maxSleepMs: 5 });
  const [peer, fd] = connectedPair();
  setSendBuffer(fd, 65_536);
  const transport = new CrossingTransport(fd);
  const ours = new RecordingHandler();
  const connection = new Connection(reactor, transport, ours, {});
  ours.stream = connection;
  connection.beginOpen();
  t.teardown(() => {
    ours.stream.close();
    close(peer);
  });
  return { reactor, transport, ours, peer };
}

function put(fd: number, text: string): void {
  send(fd, scratch, 0, scratch.bytes.latin1Write(text));
}

/** Reads so many bytes, while the reactor sends them. */
async function drain(reactor: Reactor, fd: number, length: number): Promise<string> {
  let text = '';
  while (text.length < length) {
    const count = receive(fd, scratch, 0, Math.min(scratch.length, length - text.length));
    if (count > 0) text += scratch.bytes.latin1Slice(0, count);
    else await turns(reactor, 1);
  }
  return text;
}

/** How many bytes are still in front of the end. */
async function restOf(reactor: Reactor, fd: number): Promise<number> {
  let length = 0;
  for (let turn = 0; turn < 1000; turn++) {
    const count = receive(fd, scratch, 0, scratch.length);
    if (count === 0) return length;
    if (count > 0) length += count;
    else await turns(reactor, 1);
  }
  return Number.POSITIVE_INFINITY;
}

async function turnsIn20Ms(reactor: Reactor): Promise<number> {
  const before = reactor.turn;
  await turns(reactor, 20);
  return reactor.turn - before;
}
