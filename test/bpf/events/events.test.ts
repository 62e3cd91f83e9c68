import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { addressBytes } from '../../../bpf/capture/address-bytes.ts';
import { type Events, type EventsOptions, openEvents } from '../../../bpf/events/events.ts';
import { type ConnectionEventView, connectionEventLayout, EventKind } from '../../../bpf/generated/events.ts';
import { originalLayout, writeOriginal } from '../../../bpf/generated/outbound.ts';
import { type AttachTarget, attachedAt } from '../../../bpf/loader/attachment.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { type LoadedObject, loadObject } from '../../../bpf/loader/loaded-object.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { openShortcut, type Shortcut } from '../../../bpf/shortcut/shortcut.ts';
import { AttachType } from '../../../native/bpf-link.ts';
import { BpfMap } from '../../../native/bpf-map.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import { bind, close, connect, createSocket, listen, localAddress, receive, send } from '../../../native/socket.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { enterCgroup } from '../../support/cgroup-member.ts';
import { onlyItems } from '../../support/only-items.ts';
import { rulesProblem } from '../../support/redirection-rules.ts';
import { connectedPair } from '../../support/socket-pair.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;
const lossSkip = skip || (rulesProblem() ?? false);
/** Of one mebibyte, in segments of 64 KiB at most: some twenty of data, and as many that acknowledge it. */
const LOSSY_TRANSFER = `
  const { connect, createServer } = require('net');
  let count = 0;
  const server = createServer((socket) => {
    socket.on('data', (data) => { count += data.length; }).on('end', () => {
      socket.end();
      server.close(() => console.log(count));
    });
  });
  server.listen(0, '127.0.0.1', () => {
    const client = connect(server.address().port, '127.0.0.1');
    client.end(Buffer.alloc(1 << 20)).resume();
  });
`;
const TCP_SYN_SENT = 2;
const buffer = new NativeBuffer(1000);

t.test('a connection is reported by both ends, when it opens and when it closes', { skip }, (t) => {
  const rig = openRig(t, 'both');
  const [client, server] = connectedPair();
  send(client, buffer, 0, 1000);
  receive(server, buffer, 0, 1000);
  send(server, buffer, 0, 10);
  receive(client, buffer, 0, 1000);
  close(client);
  close(server);
  const events = rig.close();
  t.same(
    events.map(({ kind }) => kind),
    [EventKind.OPENED_ACTIVE, EventKind.OPENED_PASSIVE, EventKind.CLOSED, EventKind.CLOSED],
  );
  const [active, passive] = events as [CopiedEvent, CopiedEvent];
  t.same(active.local, passive.remote);
  t.same(active.remote, passive.local);
  t.equal(active.localPort, passive.remotePort);
  t.same([...active.remote.slice(10)], [0xff, 0xff, 127, 0, 0, 1], 'a mapped address');
  t.ok(active.cgroup > 0 && active.cgroup === passive.cgroup && active.netns === passive.netns);
  const closed = (cookie: number) =>
    events.find((event) => event.kind === EventKind.CLOSED && event.cookie === cookie)!;
  t.match(closed(active.cookie), { bytesAcked: 1002, bytesReceived: 11, retransmits: 0, originalPort: 0 });
  t.match(closed(passive.cookie), { bytesReceived: 1001 });
  t.ok(closed(active.cookie).srttUs > 0 && closed(active.cookie).minRttUs > 0);
  t.ok(closed(active.cookie).durationNs > active.durationNs);
  t.ok(closed(active.cookie).timeNs >= active.timeNs);
  t.end();
});

t.test('a connection that is refused is reported as failed', { skip }, async (t) => {
  const rig = openRig(t, 'refused');
  const client = spawn(process.execPath, ['-e', "require('net').connect(1, '127.0.0.1').on('error', () => {})"]);
  await once(client, 'exit');
  t.match(
    rig.close(),
    onlyItems({ kind: EventKind.CONNECT_FAILED, lastState: TCP_SYN_SENT, remotePort: 1, bytesAcked: 0 }),
  );
});

t.test('what is lost on the way and sent again is counted', { skip: lossSkip }, async (t) => {
  const rig = openRig(t, 'lossy');
  // The SYN and the answer to it pass.
  const lose = 'iptables -A INPUT -p tcp -m statistic --mode nth --every 5 --packet 2 -j DROP';
  const command = `ip link set lo up && ${lose} && exec "$0" -e "$1"`;
  const child = spawn('unshare', ['--net', 'sh', '-c', command, process.execPath, LOSSY_TRANSFER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [received] = await Promise.all([text(child.stdout), once(child, 'close')]);
  t.equal(Number(received), 1 << 20, 'all of it has come');
  const closed = rig.close().filter(({ kind }) => kind === EventKind.CLOSED);
  const sender = closed.find(({ bytesAcked }) => bytesAcked > 1 << 20)!;
  t.ok(sender.retransmits > 0 && sender.retransmits < 1000, `${sender.retransmits} retransmits`);
});

t.test('one in so many connections is reported, from its beginning to its end', { skip }, (t) => {
  const rig = openRig(t, 'sampled', { sampleOneIn: 4 });
  for (let count = 0; count < 400; count++) for (const fd of connectedPair()) close(fd);
  const skipped = rig.events.counters()['connections_skipped']!;
  const events = rig.close();
  const cookies = new Set(events.map(({ cookie }) => cookie));
  t.equal(cookies.size + skipped, 800);
  t.ok(cookies.size > 100 && cookies.size < 300, `${cookies.size} of 800 ends`);
  t.equal(events.length, cookies.size * 2, 'each twice');
  t.end();
});

t.test('events without room are counted and told, and those before them are whole and in order', { skip }, (t) => {
  const rig = openRig(t, 'overload', { ringBytes: 64 * 1024 });
  for (let count = 0; count < 400; count++) for (const fd of connectedPair()) close(fd);
  const { events_written: written, events_lost: lost } = rig.events.counters();
  const events = rig.close();
  t.equal(events.length, written);
  t.equal(written! + lost!, 1600);
  t.ok(lost! > 1000, `${lost} of 1600 had no room`);
  t.same(rig.lost, [lost]);
  t.ok(events.every(({ timeNs }, index) => index === 0 || timeNs >= events[index - 1]!.timeNs));
  t.ok(events.every(({ family, remotePort }) => family === 2 && remotePort > 0));
  t.end();
});

t.test('it hears of connections beside the short-circuit, whichever came first', { skip }, (t) => {
  for (const first of ['events', 'shortcut']) {
    const cgroup = enterCgroup(t, `beside-${first}`);
    const early = first === 'shortcut' ? startShortcut(cgroup) : undefined;
    const rig = openRig(t, cgroup);
    const shortcut = early ?? startShortcut(cgroup);
    const before = rig.events.counters()['events_written']!;
    for (let count = 0; count < 10; count++) for (const fd of connectedPair()) close(fd);
    t.equal(rig.events.counters()['events_written']! - before, 40, `${first} first`);
    t.equal(shortcut.close(), undefined);
    rig.close();
  }
  t.end();
});

t.test('a redirected connection says where it was going', { skip }, (t) => {
  const files = ObjectFiles.open() as ObjectFiles;
  const outbound = loadObject(files, 'outbound', { constants: {} }) as LoadedObject;
  const rig = openRig(t, 'redirected', { originalsFd: outbound.mapFd('sk_orig') });
  const listening = createSocket(2);
  bind(listening, { kind: 'ip', ip: '127.0.0.1', port: 0 });
  listen(listening, 1);
  const client = createSocket(2);
  // As or_connect4 does when it redirects.
  const original = new DataView(new ArrayBuffer(originalLayout.bytes));
  const ip = addressBytes('192.0.2.7')!;
  const destination = { address: { ip }, port: 8443, family: 2 };
  writeOriginal(original, 0, { destination, uid: 0, cookie: 0n, cgroup: 0n });
  const originals = new BpfMap(outbound.mapFd('sk_orig'), 4, originalLayout.bytes);
  t.equal(originals.update(new Uint8Array(Int32Array.of(client).buffer), new Uint8Array(original.buffer)), 0);
  connect(client, localAddress(listening)!);
  for (const fd of [client, listening]) close(fd);
  const opened = rig.close().find(({ kind }) => kind === EventKind.OPENED_ACTIVE)!;
  t.same(opened.original, [...ip]);
  t.equal(opened.originalPort, 8443);
  outbound.close();
  t.end();
});

t.test('closing detaches', { skip }, (t) => {
  const cgroup = enterCgroup(t, 'detached');
  openRig(t, cgroup).close();
  t.same(attachedAt(cgroup, AttachType.sockOps), []);
  t.end();
});

t.test('a ring that cannot be is refused', (t) => {
  const files = {} as ObjectFiles;
  for (const ringBytes of [0, 1000, 12 * 1024]) {
    const opened = openEvents({ files, cgroups: [], ringBytes, onEvent: () => {}, onLost: () => {} });
    t.match(opened, { reason: /^a ring of \d+ bytes cannot be/ });
  }
  t.end();
});

type CopiedEvent = {
  readonly [Name in (typeof connectionEventLayout.fields)[number]['name']]: ConnectionEventView[Name] extends number
    ? number
    : readonly number[];
};

interface Rig {
  readonly events: Events;
  readonly seen: readonly CopiedEvent[];
  readonly lost: readonly number[];
  /** All events; nothing looks into the ring before, since the timer is the test's. */
  close(): readonly CopiedEvent[];
}

function openRig(t: Test, place: string | AttachTarget, options: Partial<EventsOptions> = {}): Rig {
  const cgroup = typeof place === 'string' ? enterCgroup(t, place) : place;
  const seen: CopiedEvent[] = [];
  const lost: number[] = [];
  const events = openEvents({
    files: ObjectFiles.open() as ObjectFiles,
    cgroups: [cgroup],
    onEvent: (event) => seen.push(copyOf(event)),
    onLost: (count) => lost.push(count),
    schedule: () => {},
    ...options,
  });
  if (isFailure(events)) throw new Error(events.reason);
  const close = () => {
    events.close();
    return seen;
  };
  return { events, seen, lost, close };
}

/** The event is shown by one object, so what is kept is copied. */
function copyOf(event: ConnectionEventView): CopiedEvent {
  const fields = connectionEventLayout.fields.map(({ name }) => {
    const value = event[name];
    return [name, typeof value === 'number' ? value : [...value.ip]];
  });
  return Object.fromEntries(fields) as CopiedEvent;
}

function startShortcut(cgroup: AttachTarget): Shortcut {
  const accept = ['fionread', 'blocking-recv', 'splice'] as const;
  return openShortcut({ files: ObjectFiles.open() as ObjectFiles, ports: [], cgroups: [cgroup], accept }) as Shortcut;
}
