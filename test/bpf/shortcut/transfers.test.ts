// Streams between two processes through the short-circuit, byte by byte, and the same through plain TCP beside it: what
// differs is what the self-test's hazards say, and nothing else.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { openShortcut, Shortcut } from '../../../bpf/shortcut/shortcut.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { enterCgroup } from '../../support/cgroup-member.ts';
import { Pattern, receiveEnd, receivePattern, sendPattern, type WriteSizes } from '../../support/patterned-stream.ts';
import { type PeerTask, StreamPeer } from '../../support/stream-peer.ts';

const MEGABYTE = 1 << 20;
/** `OUTRIGGER_TRANSFER_MEGABYTES=1000` for the long run by hand. */
const EXCHANGED_BYTES = Number(process.env['OUTRIGGER_TRANSFER_MEGABYTES'] ?? 50) * MEGABYTE;

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;

t.test('streams through the short-circuit', { skip }, async (t) => {
  const rig = await openRig(t);
  await t.test('turns of small messages are exact, and none of them goes by TCP', (t) => tryTurns(t, rig));
  await t.test('bulk in one direction is exact, and goes by TCP', (t) => tryBulk(t, rig));
  await t.test('random sizes in both directions at once are exact', (t) => tryExchange(t, rig));
  await t.test('a direction that is closed leaves the other open', (t) => tryHalfClose(t, rig));
  await t.test('a reset is seen', (t) => tryReset(t, rig));
  await t.test('a thousand connections leave nothing behind', (t) => tryManyConnections(t, rig));
  await t.test('a reader that does not read holds its writer up', (t) => trySlowReader(t, rig));
  await t.test('a peer that closes with unread bytes ends the connection', (t) => tryUnreadClose(t, rig));
  await rig.peer.close();
  t.equal(rig.shortcut.close(), undefined, 'no socket is left in it');
});

interface Rig {
  readonly shortcut: Shortcut;
  readonly peer: StreamPeer;
  readonly port: number;
  /** How many were made. */
  connections: number;
}

/** This process and its peer in one cgroup, with the peer's port short-circuited. */
async function openRig(t: Test): Promise<Rig> {
  const cgroup = enterCgroup(t, 'transfers');
  const peer = StreamPeer.start();
  const port = await peer.listen();
  const shortcut = openShortcut({
    files: ObjectFiles.open() as ObjectFiles,
    ports: [port],
    cgroups: [cgroup],
    accept: ['fionread', 'blocking-recv', 'splice'],
  });
  if (!(shortcut instanceof Shortcut)) throw new Error(shortcut.reason);
  return { shortcut, peer, port, connections: 0 };
}

interface Connected {
  readonly socket: Socket;
  /** Has the peer do something with the other end. */
  readonly peer: (task: PeerTask) => Promise<void>;
}

async function connected(rig: Rig): Promise<Connected> {
  const socket = connect({ port: rig.port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  await once(socket, 'connect');
  const number = rig.connections++;
  return { socket, peer: (task) => rig.peer.do(number, task) };
}

const SMALL: WriteSizes = { least: 1, most: 2000 };
const LARGE: WriteSizes = { least: 100_000, most: 300_000 };

async function tryTurns(t: Test, rig: Rig): Promise<void> {
  const before = rig.shortcut.counters();
  const { socket, peer } = await connected(rig);
  const turns = 2000;
  const task = { turns, request: { seed: 1, bytes: 700 }, response: { seed: 5000, bytes: 9000 } };
  const answering = peer({ kind: 'answer', ...task });
  for (let turn = 0; turn < turns; turn++) {
    await sendPattern(socket, { seed: 1 + turn, bytes: 700 }, { least: 700, most: 700 });
    await receivePattern(socket, { seed: 5000 + turn, bytes: 9000 });
  }
  await answering;
  await end({ socket, peer });
  const after = rig.shortcut.counters();
  t.equal(grown(before, after, 'redirected_bytes'), turns * 9700);
  t.equal(grown(before, after, 'left_by_burst'), 0);
  t.equal(grown(before, after, 'left_by_earlier_bytes'), 0);
}

async function tryBulk(t: Test, rig: Rig): Promise<void> {
  for (const sizes of [SMALL, LARGE]) {
    const before = rig.shortcut.counters();
    const { socket, peer } = await connected(rig);
    const read = { seed: 3, bytes: sizes === SMALL ? 2 * MEGABYTE : 100 * MEGABYTE };
    const task = { kind: 'exchange', read, write: { seed: 4, bytes: 0 }, sizes } as const;
    await exchange({ socket, peer }, task);
    const after = rig.shortcut.counters();
    t.equal(grown(before, after, 'left_by_burst'), 1, `writes of ${sizes.least} to ${sizes.most} bytes`);
    t.ok(grown(before, after, 'redirected_bytes') <= 64 * 1024, 'within the limit');
  }
}

async function tryExchange(t: Test, rig: Rig): Promise<void> {
  for (const [seed, sizes] of [
    [10, { least: 1, most: 200_000 }],
    [20, { least: 1, most: 8000 }],
  ] as const) {
    const { socket, peer } = await connected(rig);
    const bytes = sizes.most > 100_000 ? EXCHANGED_BYTES : EXCHANGED_BYTES / 10;
    const task = { kind: 'exchange', read: { seed, bytes }, write: { seed: seed + 1, bytes }, sizes } as const;
    await exchange({ socket, peer }, task);
    t.pass(`${bytes} bytes each way, writes of up to ${sizes.most}`);
  }
  // Turns and bursts by chance: directions leave the short-circuit in the middle of a conversation.
  for (let seed = 100; seed < 160; seed += 2) {
    const { socket, peer } = await connected(rig);
    const sizes = { least: 1, most: 1 + ((seed * 997) % 30_000) };
    const read = { seed, bytes: 300_000 };
    const task = { kind: 'exchange', read, write: { seed: seed + 1, bytes: 200_000 }, sizes } as const;
    await exchange({ socket, peer }, task);
  }
  t.equal(rig.shortcut.counters()['left_without_peer'], 0);
}

async function tryHalfClose(t: Test, rig: Rig): Promise<void> {
  const { socket, peer } = await connected(rig);
  const done = peer({
    kind: 'exchange',
    read: { seed: 30, bytes: 10 },
    write: { seed: 31, bytes: 30_000 },
    sizes: { least: 30_000, most: 30_000 },
  });
  await sendPattern(socket, { seed: 30, bytes: 10 }, SMALL);
  socket.end();
  await receivePattern(socket, { seed: 31, bytes: 30_000 });
  await receiveEnd(socket);
  await done;
  await closed(socket);
  await peer({ kind: 'close' });
  t.ok(rig.shortcut.isEmpty);
}

async function tryReset(t: Test, rig: Rig): Promise<void> {
  const { socket, peer } = await connected(rig);
  const failed = once(socket, 'error');
  await peer({ kind: 'reset' });
  t.match((await failed)[0], { code: 'ECONNRESET' });
  t.ok(rig.shortcut.isEmpty);
}

async function tryManyConnections(t: Test, rig: Rig): Promise<void> {
  const before = rig.shortcut.counters();
  for (let round = 0; round < 1000; round++) {
    const { socket, peer } = await connected(rig);
    const answered = peer({
      kind: 'answer',
      turns: 1,
      request: { seed: round, bytes: 100 },
      response: { seed: round + 1, bytes: 100 },
    });
    await sendPattern(socket, { seed: round, bytes: 100 }, SMALL);
    await receivePattern(socket, { seed: round + 1, bytes: 100 });
    await answered;
    await end({ socket, peer });
  }
  const after = rig.shortcut.counters();
  t.equal(grown(before, after, 'ends_taken'), 2000);
  t.equal(grown(before, after, 'ends_closed'), 2000);
  t.ok(rig.shortcut.isEmpty);
}

async function trySlowReader(t: Test, rig: Rig): Promise<void> {
  const before = rig.shortcut.counters();
  const pages = tcpMemoryPages();
  const { socket, peer } = await connected(rig);
  const taken = await writeUntilHeldUp(socket, 64 * MEGABYTE);
  const grownPages = tcpMemoryPages() - pages;
  t.comment(`the kernel took ${taken} bytes; TCP memory grew by ${grownPages} pages`);
  t.ok(taken < 32 * MEGABYTE, 'TCP has windows');
  t.equal(grown(before, rig.shortcut.counters(), 'left_by_burst'), 1);
  await end({ socket, peer });
}

/** Unlike TCP, which resets: the kernel does not see that what was redirected is not read. */
async function tryUnreadClose(t: Test, rig: Rig): Promise<void> {
  const { socket, peer } = await connected(rig);
  socket.write(new Pattern(1).next(1000));
  await peer({ kind: 'close' });
  await receiveEnd(socket);
  socket.destroy();
  t.equal(socket.errored, null, 'it looks like an end in good order');
  await once(socket, 'close');
  t.ok(rig.shortcut.isEmpty);
}

/** The peer does as `task` says, and this side the other part of it. */
async function exchange({ socket, peer }: Connected, task: Extract<PeerTask, { kind: 'exchange' }>): Promise<void> {
  const done = peer(task);
  const writing = sendPattern(socket, task.read, task.sizes).then(() => socket.end());
  await Promise.all([receivePattern(socket, task.write), writing, done]);
  await receiveEnd(socket);
  await closed(socket);
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

async function end({ socket, peer }: Connected): Promise<void> {
  socket.destroy();
  await peer({ kind: 'close' });
}

/** How many of `most` bytes the kernel takes until it takes no more, or all. */
async function writeUntilHeldUp(socket: Socket, most: number): Promise<number> {
  const chunk = Buffer.alloc(60_000);
  let written = 0;
  while (written < most) {
    const next = chunk.subarray(0, Math.min(chunk.length, most - written));
    written += next.length;
    // Node writes at once what the kernel takes; the rest waits for a writability that does not come.
    if (!socket.write(next) && socket.writableLength > 0) break;
  }
  return written - socket.writableLength;
}

/** Pages that TCP has on this machine, for sockets of all namespaces. */
function tcpMemoryPages(): number {
  return Number(readFileSync('/proc/net/sockstat', 'utf8').match(/^TCP:.* mem (\d+)$/m)![1]);
}

type Counters = Readonly<Record<string, number>>;

function grown(before: Counters, after: Counters, name: string): number {
  return after[name]! - before[name]!;
}
