// Connections through a relay between two short-circuited ones, byte by byte, while the relay takes them out of the
// short-circuit: this process is the client and the relay, its peer the server.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { closePair, LoopbackListener, type LoopbackPair } from '../../../bpf/shortcut/loopback-pair.ts';
import { openShortcut, Shortcut } from '../../../bpf/shortcut/shortcut.ts';
import type { Address } from '../../../config/address.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close, createSocket, receive, send } from '../../../native/socket.ts';
import { AddressFamily } from '../../../native/socket-address.ts';
import { adoptDescriptor } from '../../../proxy/reactor/accepted-socket.ts';
import type { ByteStream, ByteStreamHandler, Relay } from '../../../proxy/reactor/byte-stream.ts';
import { connectTo } from '../../../proxy/reactor/client-socket.ts';
import { ListeningSocket } from '../../../proxy/reactor/listening-socket.ts';
import { Membership } from '../../../proxy/reactor/membership.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
import { ShortcutExit } from '../../../proxy/reactor/shortcut-exit.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { enterCgroup } from '../../support/cgroup-member.ts';
import { receiveEnd, receivePattern, sendPattern } from '../../support/patterned-stream.ts';
import { LOOPBACK, startReactor } from '../../support/reactor-fixtures.ts';
import { type PeerTask, StreamPeer } from '../../support/stream-peer.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;
const MEGABYTE = 1 << 20;

// Hundreds of megabytes, which take a busy machine its time.
t.setTimeout(900_000);

t.test('connections leave the short-circuit', { skip }, async (t) => {
  const rig = await openRig(t);
  await t.test('small messages stay in it', (t) => trySmall(t, rig));
  await t.test('large responses are exact, and leave with both ends', (t) => tryResponses(t, rig));
  await t.test('large requests are exact, and leave with both ends', (t) => tryRequests(t, rig));
  await t.test('random sizes in both directions are exact, whenever either leaves', (t) => tryExchanges(t, rig));
  await t.test('a client that reads late gets every byte', (t) => trySlowReader(t, rig));
  await t.test('a connection that is not in it is relayed at once', (t) => tryOutside(t, rig));
  await rig.peer.close();
  t.equal(rig.shortcut.close(), undefined, 'no socket is left in it');
});

t.test('what was not read keeps a socket in it, and a byte that was read twice too', { skip }, (t) => {
  const cgroup = enterCgroup(t, 'shortcut-exit-pair');
  const listener = LoopbackListener.open() as LoopbackListener;
  const options = { ports: [listener.port], cgroups: [cgroup] };
  const accept = ['fionread', 'blocking-recv', 'splice'] as const;
  const shortcut = openShortcut({ files: ObjectFiles.open() as ObjectFiles, accept, ...options });
  if (!(shortcut instanceof Shortcut)) throw new Error(shortcut.reason);
  const exit = new ShortcutExit(shortcut.maps);
  const pair = listener.connect() as LoopbackPair;
  const bytes = new NativeBuffer(200_000);
  const { both, peer, none } = Membership;
  send(pair.active, bytes, 0, 1000);
  t.equal(exit.leave(pair.passive, 0, both), both, 'its peer may write past TCP');
  t.equal(send(pair.active, bytes, 0, 100_000), 100_000, 'more than a burst');
  t.equal(exit.leave(pair.passive, 0, both), both, 'nothing was read');
  t.equal(receive(pair.passive, bytes, 0, 999), 999);
  t.equal(exit.leave(pair.passive, 999, both), both);
  t.equal(receive(pair.passive, bytes, 0, 1), 1);
  t.equal(exit.leave(pair.passive, 1000, both), both, 'what came by TCP hides how much of it was read');
  t.equal(receive(pair.passive, bytes, 0, 200_000), 100_000);
  t.equal(exit.leave(pair.passive, 101_001, both), both, 'a count that cannot be');
  t.equal(exit.leave(pair.passive, 101_000, both), peer);
  t.equal(exit.leave(pair.passive, 101_000, peer), peer, 'its peer has nothing by TCP');
  send(pair.passive, bytes, 0, 1000);
  t.equal(exit.leave(pair.passive, 101_000, peer), peer, 'its peer has not read it');
  t.equal(receive(pair.active, bytes, 0, 1000), 1000);
  t.equal(exit.leave(pair.passive, 101_000, peer), none);
  t.ok(shortcut.isEmpty);
  const other = createSocket(AddressFamily.ipv4);
  t.equal(exit.leave(other, 0, both), none, 'a socket that was never in it');
  close(other);
  closePair(pair);
  listener.close();
  t.equal(shortcut.close(), undefined);
  t.end();
});

interface Rig {
  readonly shortcut: Shortcut;
  readonly peer: StreamPeer;
  readonly relays: RelayedConnection[];
  /** Of the relay, short-circuited. */
  readonly port: number;
  readonly outsidePort: number;
  connections: number;
}

async function openRig(t: Test): Promise<Rig> {
  const cgroup = enterCgroup(t, 'shortcut-exit');
  const peer = StreamPeer.start();
  const peerPort = await peer.listen();
  const reactor = startReactor(t);
  const relays: RelayedConnection[] = [];
  const [port, outsidePort] = [0, 0].map(() =>
    relayTo(t, reactor, { kind: 'ip', ip: '127.0.0.1', port: peerPort }, relays),
  );
  const shortcut = openShortcut({
    files: ObjectFiles.open() as ObjectFiles,
    ports: [peerPort, port!],
    cgroups: [cgroup],
    accept: ['fionread', 'blocking-recv', 'splice'],
  });
  if (!(shortcut instanceof Shortcut)) throw new Error(shortcut.reason);
  reactor.useShortcut(new ShortcutExit(shortcut.maps));
  return { shortcut, peer, relays, port: port!, outsidePort: outsidePort!, connections: 0 };
}

/** Both sides of a relayed connection, as tcp_proxy has them. */
class RelayedConnection {
  relayedBytes = 0;
  /** Resolves when a socket takes no more. */
  readonly heldUp: Promise<void>;
  readonly onHeldUp: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.heldUp = promise;
    this.onHeldUp = resolve;
  }
}

class Side implements ByteStreamHandler, Relay {
  stream!: ByteStream;
  other!: Side;
  readonly limitBytes = Number.POSITIVE_INFINITY;
  readonly #connection: RelayedConnection;

  constructor(connection: RelayedConnection) {
    this.#connection = connection;
  }

  get sink(): ByteStream {
    return this.other.stream;
  }

  onConnected(): void {}

  onData(buffer: NativeBuffer, start: number, end: number): number {
    this.sink.write(buffer, start, end);
    this.#pauseWhenBlocked();
    return end - start;
  }

  onRelayed(count: number): void {
    this.#connection.relayedBytes += count;
    this.#pauseWhenBlocked();
  }

  onDrained(): void {
    this.other.stream.resumeReading();
  }

  onEnd(): void {
    this.sink.endWriting();
  }

  onClosed(): void {
    this.sink.close();
  }

  #pauseWhenBlocked(): void {
    if (this.sink.pendingWriteBytes === 0) return;
    this.stream.pauseReading();
    this.#connection.onHeldUp();
  }
}

function relayTo(t: Test, reactor: Reactor, address: Address, relays: RelayedConnection[]): number {
  const listening = ListeningSocket.open(
    reactor,
    LOOPBACK,
    {},
    {
      onAccept(fd) {
        const connection = new RelayedConnection();
        relays.push(connection);
        const [accepted, connected] = [new Side(connection), new Side(connection)];
        accepted.other = connected;
        connected.other = accepted;
        accepted.stream = adoptDescriptor(reactor, fd, accepted);
        connected.stream = connectTo(reactor, { address, connectTimeoutMs: 5000 }, connected);
        accepted.stream.relayTo(accepted);
        connected.stream.relayTo(connected);
      },
      onAccepted() {},
      onAcceptError(errno) {
        t.fail(`accepting failed with errno ${errno}`);
      },
    },
  );
  if (typeof listening === 'number') throw new Error(`listening failed with errno ${-listening}`);
  t.teardown(() => listening.close());
  return (listening.localAddress() as { port: number }).port;
}

interface Connected {
  readonly socket: Socket;
  readonly relay: RelayedConnection;
  readonly peer: (task: PeerTask) => Promise<void>;
}

/** The peer counts connections as it accepts them, so they are made one after another. */
async function connected(rig: Rig, port = rig.port): Promise<Connected> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  const number = rig.connections++;
  const peer = (task: PeerTask) => rig.peer.do(number, task);
  await answered({ socket, peer }, { turns: 1, request: 1, response: 1 });
  return { socket, peer, relay: rig.relays[number]! };
}

interface Turns {
  readonly turns: number;
  readonly request: number;
  readonly response: number;
}

async function answered(
  { socket, peer }: Pick<Connected, 'socket' | 'peer'>,
  { turns, request, response }: Turns,
): Promise<void> {
  const task = { turns, request: { seed: 1, bytes: request }, response: { seed: 9000, bytes: response } };
  const answering = peer({ kind: 'answer', ...task });
  for (let turn = 0; turn < turns; turn++) {
    await sendPattern(socket, { seed: 1 + turn, bytes: request }, { least: request, most: request });
    await receivePattern(socket, { seed: 9000 + turn, bytes: response });
  }
  await answering;
}

async function end({ socket }: Connected): Promise<void> {
  socket.end();
  await receiveEnd(socket);
  if (!socket.closed) await once(socket, 'close');
}

async function trySmall(t: Test, rig: Rig): Promise<void> {
  const connection = await connected(rig);
  await answered(connection, { turns: 500, request: 700, response: 2000 });
  t.notOk(rig.shortcut.isEmpty);
  t.equal(rig.shortcut.counters()['left_by_removal'], 0);
  t.equal(connection.relay.relayedBytes, 0);
  await closeAll(connection);
}

async function tryResponses(t: Test, rig: Rig): Promise<void> {
  const connection = await connected(rig);
  await answered(connection, { turns: 100, request: 300, response: MEGABYTE });
  t.ok(connection.relay.relayedBytes > 50 * MEGABYTE, `${connection.relay.relayedBytes} bytes moved by the kernel`);
  t.ok(rig.shortcut.isEmpty, 'no end is in it any more');
  await answered(connection, { turns: 100, request: 300, response: 300 });
  await closeAll(connection);
}

async function tryRequests(t: Test, rig: Rig): Promise<void> {
  const connection = await connected(rig);
  await answered(connection, { turns: 60, request: MEGABYTE, response: 300 });
  t.ok(connection.relay.relayedBytes > 10 * MEGABYTE, `${connection.relay.relayedBytes} bytes moved by the kernel`);
  t.ok(rig.shortcut.isEmpty);
  await closeAll(connection);
}

async function tryExchanges(t: Test, rig: Rig): Promise<void> {
  let relayedBytes = 0;
  for (let seed = 10; seed < 50; seed += 2) {
    const connection = await connected(rig);
    const { socket, peer, relay } = connection;
    const sizes = { least: 1, most: 1 + ((seed * 7919) % 200_000) };
    await answered(connection, { turns: 5, request: 10_000, response: 20_000 });
    const read = { seed, bytes: 6 * MEGABYTE };
    const write = { seed: seed + 1, bytes: 5 * MEGABYTE };
    const done = peer({ kind: 'exchange', read, write, sizes });
    const writing = sendPattern(socket, read, sizes).then(() => socket.end());
    await Promise.all([receivePattern(socket, write), writing, done]);
    await receiveEnd(socket);
    if (!socket.closed) await once(socket, 'close');
    relayedBytes += relay.relayedBytes;
  }
  t.pass(`${relayedBytes} bytes moved by the kernel`);
}

async function trySlowReader(t: Test, rig: Rig): Promise<void> {
  const connection = await connected(rig);
  const { socket, peer, relay } = connection;
  await answered(connection, { turns: 5, request: 300, response: MEGABYTE });
  const write = { seed: 77, bytes: 60 * MEGABYTE };
  const done = peer({ kind: 'write', write });
  await relay.heldUp;
  await receivePattern(socket, write);
  await done;
  await closeAll(connection);
  t.pass('exact');
}

async function tryOutside(t: Test, rig: Rig): Promise<void> {
  const connection = await connected(rig, rig.outsidePort);
  await answered(connection, { turns: 4, request: 8 * MEGABYTE, response: 1 });
  t.ok(connection.relay.relayedBytes > 8 * MEGABYTE, `${connection.relay.relayedBytes} bytes moved by the kernel`);
  await closeAll(connection);
}

async function closeAll(connection: Connected): Promise<void> {
  await connection.peer({ kind: 'close' });
  await end(connection);
}
