// Bulk that goes from one connection to another inside the kernel, mixed with copies: who receives it cannot tell.

import { readdirSync } from 'node:fs';
import t, { type Test } from 'tap';
import { Errno } from '../../../native/errno.ts';
import { declare } from '../../../native/libc.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, localAddress, send } from '../../../native/socket.ts';
import type { ByteStream, Relay } from '../../../proxy/reactor/byte-stream.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import {
  connectedStreams,
  openDescriptors,
  type RecordingHandler,
  startReactor,
  turns,
} from '../../support/reactor-fixtures.ts';
import { connectedPair } from '../../support/socket-pair.ts';
import { certified, tlsStreams } from '../../support/tls-streams.ts';

const BULK = 12_000_000;
const mesh = certified(t);

t.test('bulk arrives whole and in order, and most of it past our memory', async (t) => {
  const { source, middle, relay, destination } = await relayed(t, startReactor(t));
  const sent = pattern(BULK);
  source.write(sent);
  source.stream.endWriting();
  await destination.received(BULK);
  t.ok(destination.text === sent, 'the same bytes');
  t.equal(relay.relayedBytes + relay.copiedBytes, BULK);
  t.ok(relay.relayedBytes > BULK / 2, `${relay.relayedBytes} relayed`);
  t.equal(middle.stream.bytesReceived, BULK);
  t.equal(relay.sink.bytesSent, BULK);
});

for (const sides of [['source'], ['destination'], ['source', 'destination']] as const) {
  t.test(`nothing is moved by the kernel when TLS is on the side of the ${sides.join(' and the ')}`, async (t) => {
    const { source, relay, destination } = await relayed(t, startReactor(t), sides);
    const sent = pattern(BULK);
    source.write(sent);
    source.stream.endWriting();
    await destination.received(BULK);
    t.ok(destination.text === sent, 'the same bytes');
    t.same([relay.relayedBytes, relay.copiedBytes], [0, BULK]);
  });
}

t.test('what a pipe holds is encrypted on its way to a stream under TLS, and waits like other bytes', async (t) => {
  const reactor = startReactor(t);
  const [sink, destination] = await tlsStreams(t, reactor, mesh);
  const [into, outOf] = connectedPair();
  const pipe = reactor.transferPipe()!;
  const buffer = new NativeBuffer(60_000);
  const fill = (text: string) => pipe.fill(outOf, send(into, buffer, 0, buffer.bytes.latin1Write(text)));
  destination.stream.pauseReading();
  let sent = '';
  // More than sockets hold.
  for (let round = 0; round < 200; round++) {
    const text = pattern(50_000 + round);
    const moved = fill(text);
    sink.stream.writeFrom(pipe, moved);
    sent += text.slice(0, moved);
    for (let left = text.length - moved; left > 0; ) {
      const more = pipe.fill(outOf, left);
      sink.stream.writeFrom(pipe, more);
      sent += text.slice(text.length - left, text.length - left + more);
      left -= more;
    }
  }
  t.ok(sink.stream.pendingWriteBytes > 0);
  destination.stream.resumeReading();
  await destination.received(sent.length);
  t.ok(destination.text === sent);
  t.equal(sink.stream.bytesSent, sent.length);
  sink.stream.close();
  sink.stream.writeFrom(pipe, fill('lost'));
  t.equal(fill('next'), 4);
  t.equal(pipe.read(buffer, 0, 100), 4, 'nothing of the lost is left in it');
  for (const fd of [into, outOf]) close(fd);
});

t.test('a stream of small messages is copied, before bulk and after it', async (t) => {
  const { source, relay, destination } = await relayed(t, startReactor(t));
  let expected = '';
  for (const size of [10, 1000, BULK, 10, 10]) {
    const sent = pattern(size);
    expected += sent;
    const before = relay.relayedBytes;
    source.write(sent);
    await destination.received(expected.length);
    if (size === 10 && expected.length < 2000) t.equal(relay.relayedBytes, before, 'copied');
  }
  const before = relay.relayedBytes;
  source.write('last');
  await destination.received(expected.length + 4);
  t.equal(relay.relayedBytes, before, 'copied again');
  t.ok(destination.text === `${expected}last`);
});

t.test('a slow destination pauses the source, with a bounded number of bytes between them', async (t) => {
  const reactor = startReactor(t);
  const { source, relay, destination } = await relayed(t, reactor);
  destination.stream.pauseReading();
  const sent = pattern(4 * BULK);
  source.write(sent);
  await turns(reactor, 30);
  t.ok(relay.sink.pendingWriteBytes > 0, 'something waits');
  t.ok(relay.sink.pendingWriteBytes <= 1024 * 1024, `${relay.sink.pendingWriteBytes} bytes wait`);
  destination.stream.resumeReading();
  await destination.received(sent.length);
  t.ok(destination.text === sent);
});

t.test('bytes for a destination that is closed or broken go nowhere, and do not reach the next', async (t) => {
  const reactor = startReactor(t);
  const first = await relayed(t, reactor);
  first.source.write(pattern(BULK));
  await first.destination.received(1_000_000);
  first.destination.stream.reset();
  await first.sink.saw('closed');
  t.match(first.sink.events.at(-1), /^closed error/);
  await turns(reactor);
  const second = await relayed(t, reactor);
  const sent = pattern(BULK);
  second.source.write(sent);
  await second.destination.received(BULK);
  t.ok(second.destination.text === sent);
});

t.test('the limit of a relay holds, and the rest is offered to the handler', async (t) => {
  const { source, middle, relay, destination } = await relayed(t, startReactor(t));
  relay.limitBytes = 1_000_000;
  relay.onLimit = () => {
    middle.stream.relayTo(null);
    return 'detached';
  };
  const sent = pattern(BULK);
  source.write(sent);
  await destination.received(BULK);
  t.equal(relay.relayedBytes, 1_000_000);
  t.ok(destination.text === sent);
});

t.test('a reset of the source is told while it is relayed', async (t) => {
  const { source, middle, destination } = await relayed(t, startReactor(t));
  source.write(pattern(BULK));
  await destination.received(1_000_000);
  source.stream.reset();
  await middle.saw('closed');
  t.equal(middle.events.at(-1), `closed error ${Errno.ECONNRESET}`);
});

t.test('two descriptors serve every relay of a reactor, and go with it', async (t) => {
  const before = openDescriptors();
  await t.test('while it runs', async (t) => {
    const reactor = startReactor(t);
    const pairs = [await relayed(t, reactor), await relayed(t, reactor), await relayed(t, reactor)];
    const open = openDescriptors();
    for (const { source } of pairs) source.write(pattern(1_000_000));
    for (const { destination } of pairs) await destination.received(1_000_000);
    t.equal(openDescriptors(), open + 2);
  });
  t.equal(openDescriptors(), before);
});

class TestRelay implements Relay {
  readonly sink: ByteStream;
  readonly #source: ByteStream;
  limitBytes = Number.POSITIVE_INFINITY;
  relayedBytes = 0;
  copiedBytes = 0;
  onLimit: (() => string) | undefined;

  constructor(source: ByteStream, sink: ByteStream) {
    this.#source = source;
    this.sink = sink;
  }

  onRelayed(count: number): void {
    this.relayedBytes += count;
    if (this.onLimit !== undefined) {
      this.limitBytes -= count;
      if (this.limitBytes === 0) this.onLimit();
    }
    this.pauseWhenBlocked();
  }

  pauseWhenBlocked(): void {
    if (this.sink.pendingWriteBytes > 0) this.#source.pauseReading();
  }
}

interface Relayed {
  readonly source: RecordingHandler;
  /** Ours, towards the source. */
  readonly middle: RecordingHandler;
  readonly relay: TestRelay;
  /** Ours, towards the destination. */
  readonly sink: RecordingHandler;
  readonly destination: RecordingHandler;
}

/** source → (middle → sink) → destination, as tcp_proxy has it. */
t.test('an urgent byte in bulk, which the kernel does not move, holds up nothing behind it', async (t) => {
  const { source, relay, destination } = await relayed(t, startReactor(t));
  const sent = pattern(BULK);
  source.write(sent);
  await destination.received(BULK);
  const copiedBefore = relay.copiedBytes;
  const fd = descriptorOf(source.stream);
  const block = new NativeBuffer(65_536);
  // Bulk again, then a read that begins at the mark.
  source.write(pattern(1_000_000));
  await destination.received(BULK + 1_000_000);
  t.equal(sendWith(fd, block.address, 1, MSG_OOB), 1);
  t.equal(send(fd, block, 0, 1000), 1000);
  await destination.received(BULK + 1_001_000);
  t.ok(relay.copiedBytes > copiedBefore);
});

const MSG_OOB = 1;
const sendWith = declare('long', 'send', ['int', 'uint64_t', 'size_t', 'int']) as (...values: number[]) => number;

function descriptorOf(stream: ByteStream): number {
  const address = JSON.stringify(stream.localAddress());
  const found = readdirSync('/proc/self/fd').find((fd) => JSON.stringify(localAddress(Number(fd))) === address);
  return Number(found);
}

async function relayed(t: Test, reactor: Reactor, underTls: readonly string[] = []): Promise<Relayed> {
  const pair = (side: string) =>
    underTls.includes(side) ? tlsStreams(t, reactor, mesh) : connectedStreams(t, reactor);
  const [source, middle] = await pair('source');
  const [sink, destination] = await pair('destination');
  const relay = new TestRelay(middle.stream, sink.stream);
  middle.consume = (text) => {
    relay.copiedBytes += text.length;
    sink.write(text);
    relay.pauseWhenBlocked();
    return text.length;
  };
  sink.onEvent = (event) => event === 'drained' && middle.stream.resumeReading();
  middle.stream.relayTo(relay);
  return { source, middle, relay, sink, destination };
}

function pattern(length: number): string {
  const block = Array.from({ length: 997 }, (_, index) => String.fromCharCode(32 + (index % 90))).join('');
  return block.repeat(Math.ceil(length / block.length)).slice(0, length);
}
