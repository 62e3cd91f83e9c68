import { openSync } from 'node:fs';
import t, { type Test } from 'tap';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { close } from '../../../native/socket.ts';
import { sendMessage } from '../../../native/unix-message.ts';
import { Channel } from '../../../proxy/hot-restart/channel.ts';
import {
  decodeFromParent,
  type FromParent,
  type FromSuccessor,
  hotRestartVersion,
  maxMessageBytes,
} from '../../../proxy/hot-restart/message.ts';
import { HotRestartParent, type ParentOptions } from '../../../proxy/hot-restart/parent.ts';
import { closeRendezvous, connectTo, openRendezvous } from '../../../proxy/hot-restart/rendezvous.ts';
import { rootProblem } from '../../support/privileges.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';

let names = 0;

/** A parent of epoch 3 that serves, and what it did. */
function make(t: Test, given: Partial<ParentOptions> = {}) {
  const name = { socketPath: `@outrigger-parent-${process.pid}-${names++}`, socketMode: 0o600, baseId: 0, epoch: 3 };
  const rendezvous = openRendezvous(name);
  if (typeof rendezvous === 'string') throw new Error(rendezvous);
  const log: string[] = [];
  let retired = 0;
  const parent = new HotRestartParent({
    fd: rendezvous.fd,
    epoch: 3,
    generation: 4,
    firstStartedAtMs: 1000,
    socketsAt: () => [],
    namedDescriptors: () => [],
    retire: () => void retired++,
    log: { info: (text) => void log.push(text), warn: (text) => void log.push(text) },
    ...given,
  });
  t.teardown(() => {
    parent.close();
    closeRendezvous(rendezvous);
  });
  const connect = (): Peer => {
    const fd = connectTo(name);
    if (fd < 0) throw new Error(`cannot connect: ${fd}`);
    const peer = new Peer(new Channel(fd));
    t.teardown(() => peer.channel.close());
    return peer;
  };
  return { parent, connect, log, retired: () => retired };
}

class Peer {
  readonly channel: Channel;

  constructor(channel: Channel) {
    this.channel = channel;
  }

  say(message: FromSuccessor, descriptors: readonly number[] = []): this {
    this.channel.send(message, descriptors);
    return this;
  }

  hello(epoch = 4, version: string = hotRestartVersion): this {
    return this.say({ kind: 'hello', version, epoch });
  }

  /** The next message with how many descriptors it has, or `end`. */
  async heard(): Promise<{ readonly message: FromParent | undefined; readonly descriptors: number } | 'end'> {
    for (;;) {
      const received = this.channel.receive();
      if (received.kind === 'end') return 'end';
      if (received.kind === 'message') {
        for (const each of received.descriptors) close(each);
        return { message: decodeFromParent(received.bytes), descriptors: received.descriptors.length };
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const address = { kind: 'ip', ip: '127.0.0.1', port: 80 } as const;
const asks: FromSuccessor = { kind: 'sockets', listener: 'http', address, ipv4Compatible: false };

t.test('a successor is welcome with what is named, gets all sockets, and takes over', async (t) => {
  const descriptor = openSync('/dev/null', 'r');
  const sockets = new Array<number>(100).fill(descriptor);
  const namedDescriptors = () => [{ name: 'links', fd: descriptor }];
  const { parent, connect, retired } = make(t, { socketsAt: () => sockets, namedDescriptors });
  parent.serves();
  const peer = connect().hello();
  const welcome = { kind: 'welcome', generation: 4, firstStartedAtMs: 1000, names: ['links'] };
  t.same(await peer.heard(), { message: welcome, descriptors: 1 });
  peer.say(asks);
  t.same(await peer.heard(), { message: { kind: 'sockets', isLast: false }, descriptors: 64 });
  t.same(await peer.heard(), { message: { kind: 'sockets', isLast: true }, descriptors: 36 });
  parent.sendStatistics(descriptor);
  peer.say({ kind: 'take-over' });
  t.same(await peer.heard(), { message: { kind: 'retired' }, descriptors: 0 }, 'what it counted comes later');
  t.equal(retired(), 1);
  t.ok(parent.isRetiring);
  parent.sendStatistics(descriptor);
  t.same(await peer.heard(), { message: { kind: 'statistics' }, descriptors: 1 });
  parent.close();
  t.equal(await peer.heard(), 'end');
  close(descriptor);
});

t.test('an address that is not ours is an answer, too', async (t) => {
  const { parent, connect } = make(t);
  parent.serves();
  const peer = connect().hello().say(asks);
  t.match(await peer.heard(), { message: { kind: 'welcome' } });
  t.same(await peer.heard(), { message: { kind: 'sockets', isLast: true }, descriptors: 0 });
});

t.test('another version, another epoch, or too early: it is told why, and let go', async (t) => {
  const { parent, connect } = make(t);
  const refusal = async (peer: Peer) => {
    const heard = await peer.heard();
    t.equal(await peer.heard(), 'end');
    return heard;
  };
  t.match(await refusal(connect().hello()), { message: { kind: 'refused', reason: /does not serve yet/ } });
  parent.serves();
  t.match(await refusal(connect().hello(4, 'outrigger.0')), {
    message: { reason: `speaks version ${hotRestartVersion} of hot restart, not outrigger.0` },
  });
  t.match(await refusal(connect().hello(5)), { message: { reason: /restart epoch 3, which 4 follows and not 5/ } });
  t.match(await connect().hello().heard(), { message: { kind: 'welcome' } }, 'and the right one is welcome still');
});

t.test('of two successors at once the second is refused; when the first dies, the next is welcome', async (t) => {
  const { parent, connect, log, retired } = make(t);
  parent.serves();
  const first = connect().hello();
  t.match(await first.heard(), { message: { kind: 'welcome' } });
  t.match(await connect().hello().heard(), { message: { kind: 'refused', reason: /has a successor/ } });
  first.channel.close();
  while (!log.some((line) => /goes on as before/.test(line))) await new Promise((resolve) => setImmediate(resolve));
  t.match(await connect().hello().heard(), { message: { kind: 'welcome' } });
  t.equal(retired(), 0);
});

t.test('a hostile peer is cut off, and nothing of it stays', async (t) => {
  const { parent, connect, retired } = make(t);
  parent.serves();
  const descriptor = openSync('/dev/null', 'r');
  const bytes = new NativeBuffer(maxMessageBytes * 2);
  bytes.bytes.fill(0x20);
  const before = openDescriptors();
  const raw = (length: number) => (peer: Peer) => sendMessage(peer.channel.fd, bytes, length, []);
  const attacks: readonly ((peer: Peer) => unknown)[] = [
    raw(1),
    raw(maxMessageBytes * 2),
    (peer) => peer.say({ kind: 'hello', version: hotRestartVersion, epoch: 4 }, [descriptor, descriptor]),
    (peer) => peer.say(asks),
    (peer) => peer.say({ kind: 'take-over' }),
  ];
  for (const attack of attacks) {
    const peer = connect();
    attack(peer);
    t.equal(await peer.heard(), 'end');
    peer.channel.close();
  }
  t.equal(openDescriptors(), before, 'descriptors that it sent are closed');
  t.equal(retired(), 0);
  close(descriptor);
});

t.test('peers that say nothing do not keep a successor out, nor grow without bound', async (t) => {
  const { parent, connect } = make(t);
  parent.serves();
  const successor = connect().hello();
  t.match(await successor.heard(), { message: { kind: 'welcome' } });
  const before = openDescriptors();
  const silent: Peer[] = [];
  for (let count = 0; count < 40; count++) {
    silent.push(connect());
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(await silent[0]!.heard(), 'end', 'the oldest makes room');
  successor.say(asks);
  t.match(await successor.heard(), { message: { kind: 'sockets' } }, 'but never the successor');
  t.ok(openDescriptors() - before <= 40 + 16);
});

t.test('a process of another user gets nothing', { skip: rootProblem() ?? false }, async (t) => {
  const { parent, connect, log } = make(t);
  parent.serves();
  process.seteuid!(65_534);
  let stranger: Peer;
  try {
    stranger = connect();
  } finally {
    process.seteuid!(0);
  }
  stranger.hello();
  t.equal(await stranger.heard(), 'end');
  t.matchOnly(log, [/is not of our user and gets none/]);
});
