import t, { type Test } from 'tap';
import { type AttachTarget, attachedAt } from '../../../bpf/loader/attachment.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../../bpf/loader/object-files.ts';
import { tcpMemoryBytes } from '../../../bpf/shortcut/memory-watch.ts';
import {
  openShortcut,
  type Shortcut,
  type ShortcutOptions,
  type ShortcutRefusal,
} from '../../../bpf/shortcut/shortcut.ts';
import type { IpAddress } from '../../../config/address.ts';
import { setBlocking } from '../../../native/blocking-socket.ts';
import { AttachType } from '../../../native/bpf-link.ts';
import { Errno } from '../../../native/errno.ts';
import { declare } from '../../../native/libc.ts';
import { NativeBuffer } from '../../../native/native-buffer.ts';
import {
  accept,
  bind,
  close,
  connect,
  createSocket,
  listen,
  localAddress,
  receive,
  send,
  setLinger,
} from '../../../native/socket.ts';
import { addressFamily, encodeSocketAddress } from '../../../native/socket-address.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';
import { enterCgroup } from '../../support/cgroup-member.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects') ?? false;
const EVERY_HAZARD = ['fionread', 'blocking-recv', 'splice'] as const;
const buffer = new NativeBuffer(256 * 1024);
const SOCK_STREAM_NONBLOCK = 1 | 0o4000;
const IPPROTO_MPTCP = 262;
const sysSocket = declare('int', 'socket', ['int', 'int', 'int']) as (...values: [number, number, number]) => number;
const MSG_FASTOPEN = 0x2000_0000;
const sysSendto = declare('long', 'sendto', ['int', 'uint64_t', 'size_t', 'int', 'uint64_t', 'uint']) as (
  ...values: [number, number, number, number, number, number]
) => number;

t.test('hazards that are not accepted keep it off, with a reason each and the way out', { skip }, (t) => {
  const cgroup = enterCgroup(t, 'refused');
  const refusal = openShortcut(options([cgroup], { accept: ['splice'] })) as ShortcutRefusal;
  t.match(refusal.reason, /on this kernel FIONREAD told 0 .*nginx.*; recv\(2\) .*Python/);
  t.notMatch(refusal.reason, /splice\(2\)/);
  t.match(refusal.wayOut, /accept: fionread, blocking-recv$/);
  t.equal(refusal.findings.length, 3);
  t.same(attachedAt(cgroup, AttachType.sockOps), [], 'nothing is left attached');
  t.end();
});

t.test('it is refused where it cannot be tried out', { skip }, (t) => {
  const path = temporaryCgroup(t, 'elsewhere');
  const elsewhere = enterCgroup(t, 'here');
  t.ok(path !== elsewhere.name);
  const refusal = openShortcut(options([])) as ShortcutRefusal;
  t.match(refusal, { reason: /this process is in none of its cgroups/, wayOut: /name the cgroup of the proxy/ });
  t.end();
});

t.test('more ports than there is room for are refused', { skip }, (t) => {
  const cgroup = enterCgroup(t, 'ports');
  const ports = Array.from({ length: 65 }, (_, index) => 20_000 + index);
  t.match(openShortcut(options([cgroup], { ports })), { reason: /no room for port 20064/ });
  t.end();
});

t.test('local connections to its ports are short-circuited, whatever their family', { skip }, (t) => {
  const rig = openRig(t, [
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['::', '127.0.0.1'],
    ['::', '::1'],
  ]);
  for (const [index, { at }] of rig.listeners.entries()) {
    const before = redirectedBytes(rig);
    const [client, server] = rig.connect(index);
    exchange(t, client, server);
    closeBoth(client, server);
    t.equal(redirectedBytes(rig) - before, 11, `${at.ip}`);
  }
  t.equal(rig.close(), undefined);
  t.end();
});

t.test('other ports, and processes of other cgroups, are left alone', { skip }, (t) => {
  const cgroup = enterCgroup(t, 'alone');
  const listener = listenAt('127.0.0.1');
  const shortcut = openShortcut(options([cgroup], { ports: [listener.at.port + 1] })) as Shortcut;
  const before = shortcut.counters();
  const client = connectTo(listener.at);
  const server = accept(listener.fd);
  exchange(t, client, server);
  closeBoth(client, server);
  close(listener.fd);
  t.same(shortcut.counters(), before);
  t.equal(shortcut.close(), undefined);
  t.end();
});

t.test('an answer ends a burst, and one without an answer turns both directions to TCP for good', { skip }, (t) => {
  const rig = openRig(t);
  const [client, server] = rig.connect();
  for (let turn = 0; turn < 50; turn++) exchange(t, client, server, 'x'.repeat(20_000));
  t.equal(rig.shortcut.counters()['left_by_burst'], rig.leftByBurstAtFirst, '1 MB, in turns');
  for (let count = 0; count < 70; count++) write(client, `${count} `);
  t.equal(
    readAll(server),
    Array.from({ length: 70 }, (_, count) => `${count} `).join(''),
    'in order where TCP takes over',
  );
  t.equal(rig.shortcut.counters()['left_by_burst'], rig.leftByBurstAtFirst + 1, 'many small writes are a burst');
  const before = redirectedBytes(rig);
  const leftBefore = rig.shortcut.counters()['left_with_other']!;
  for (let turn = 0; turn < 1000; turn++) exchange(t, client, server);
  closeBoth(client, server);
  t.ok(redirectedBytes(rig) - before < 500, 'no more than was not counted yet of the small writes');
  t.equal(rig.shortcut.counters()['left_with_other'], leftBefore + 1, 'the answers too');
  t.equal(rig.close(), undefined);
  t.end();
});

// sendto(2) with MSG_FASTOPEN connects, and hands its bytes to TCP when the socket is a member already.
t.test('bytes that were handed to TCP before are not overtaken', { skip }, (t) => {
  const rig = openRig(t);
  const client = createSocket(2);
  setBlocking(client, 1000);
  t.equal(connectAndSend(client, rig.listeners[0]!.at, 'first '), 6);
  const server = accept(rig.listeners[0]!.fd);
  write(client, 'second ');
  write(client, 'third');
  t.equal(readAll(server), 'first second third');
  t.equal(rig.shortcut.counters()['left_by_earlier_bytes'], 1);
  closeBoth(client, server);
  t.equal(rig.close(), undefined);
  t.end();
});

t.test('turned off, it loses nothing that is queued, and closes only when that is read', { skip }, (t) => {
  const rig = openRig(t);
  const { shortcut } = rig;
  const [client, server] = rig.connect();
  write(client, 'queued before ');
  write(server, 'and the other way');
  t.equal(shortcut.turnOff(), undefined);
  t.ok(shortcut.isOff);
  write(client, 'and after');
  t.match(shortcut.close(), { reason: /bytes they have not read would be lost/, wayOut: /turn it off/ });
  const before = redirectedBytes(rig);
  t.equal(readAll(server), 'queued before and after');
  t.equal(readAll(client), 'and the other way');
  const [late, lateServer] = rig.connect();
  exchange(t, late, lateServer);
  closeBoth(late, lateServer);
  closeBoth(client, server);
  // What was redirected before is counted at the end of its connection.
  t.equal(redirectedBytes(rig) - before, 'queued before and the other way'.length);
  t.equal(shortcut.counters()['left_by_switch'], 1);
  t.equal(rig.close(), undefined);
  t.end();
});

// Listeners of Go's net package are multipath by default since Go 1.24. Linux 6.18 takes no subflow into a sockmap.
t.test('a multipath listener serves, by TCP or by the short-circuit', { skip }, (t) => {
  const listening = sysSocket(2, SOCK_STREAM_NONBLOCK, IPPROTO_MPTCP);
  if (listening < 0) {
    t.pass('this kernel has no multipath TCP');
    t.end();
    return;
  }
  bind(listening, { kind: 'ip', ip: '127.0.0.1', port: 0 });
  listen(listening, 1);
  const at = localAddress(listening) as IpAddress;
  const cgroup = enterCgroup(t, 'multipath');
  const shortcut = openShortcut(options([cgroup], { ports: [at.port] })) as Shortcut;
  const client = connectTo(at);
  const server = accept(listening);
  exchange(t, client, server);
  closeBoth(client, server);
  close(listening);
  t.equal(shortcut.close(), undefined);
  t.end();
});

// The limit of a burst does not hold here: the peer's writes look like answers.
t.test('a peer that writes and never reads is met before memory is short', { skip }, (t) => {
  const waiting: (() => void)[] = [];
  const told: string[] = [];
  const rig = openRig(t, undefined, {
    mostTcpMemoryBytes: tcpMemoryBytes() + (48 << 20),
    schedule: (_delayMs, callback) => waiting.push(callback),
    onTurnedOff: (reason) => told.push(reason),
  });
  const [client, server] = rig.connect();
  const chunk = 'x'.repeat(50_000);
  let written = 0;
  for (; told.length === 0 && written < 512 << 20; written += chunk.length) {
    write(client, chunk);
    write(server, '.');
    waiting.shift()!();
  }
  t.matchOnly(told, [/^the short-circuit is turned off: TCP has \d+ MiB/]);
  t.ok(rig.shortcut.isOff);
  const taken = writeUntilHeldUp(client);
  t.ok(taken < 16 << 20, `TCP's windows hold the writer up after ${taken} bytes`);
  t.equal(readUntil(server, written + taken), written + taken, 'nothing is lost');
  t.equal(readAll(server), '', '… and nothing comes twice');
  closeBoth(client, server);
  t.equal(rig.close(), undefined);
  t.end();
});

t.test(
  'what was sent before an end in good order is read before it, and what is queued goes with a reset',
  { skip },
  (t) => {
    const rig = openRig(t);
    const [client, server] = rig.connect();
    write(client, 'last words');
    close(client);
    t.equal(readAll(server), 'last words');
    t.equal(receive(server, buffer, 0, 1), 0);
    close(server);
    const [resetting, reset] = rig.connect();
    write(resetting, 'unheard');
    setLinger(resetting, 0);
    close(resetting);
    const result = receive(reset, buffer, 0, 100);
    t.equal(result, outcomeOfPlainReset(), `as with TCP`);
    close(reset);
    t.equal(rig.close(), undefined);
    t.end();
  },
);

/** What a reader gets first when its peer resets after seven bytes that are not read. */
function outcomeOfPlainReset(): number {
  const listener = listenAt('127.0.0.1');
  const client = connectTo(listener.at);
  const server = accept(listener.fd);
  write(client, 'unheard');
  setLinger(client, 0);
  close(client);
  const result = receive(server, buffer, 0, 100);
  for (const fd of [server, listener.fd]) close(fd);
  return result;
}

interface Listening {
  readonly fd: number;
  readonly at: IpAddress;
}

interface Rig {
  readonly shortcut: Shortcut;
  readonly listeners: readonly Listening[];
  readonly leftByBurstAtFirst: number;
  connect(index?: number): [number, number];
  close(): unknown;
}

/** Listens at each pair's first address; connections go to its second. */
function openRig(
  t: Test,
  addresses: readonly (readonly [string, string])[] = [['127.0.0.1', '127.0.0.1']],
  others: Partial<ShortcutOptions> = {},
): Rig {
  const cgroup = enterCgroup(t, `rig-${addresses.length}`);
  const listeners = addresses.map(([ip]) => listenAt(ip));
  const shortcut = openShortcut(options([cgroup], { ports: listeners.map(({ at }) => at.port), ...others }));
  if (isFailure(shortcut)) throw new Error(shortcut.reason);
  t.teardown(() => {
    for (const { fd } of listeners) close(fd);
  });
  return {
    shortcut,
    listeners,
    leftByBurstAtFirst: shortcut.counters()['left_by_burst']!,
    connect: (index = 0) => {
      const { fd, at } = listeners[index]!;
      const client = connectTo({ ...at, ip: addresses[index]![1] });
      return [client, accept(fd)];
    },
    close: () => shortcut.close(),
  };
}

function options(cgroups: readonly AttachTarget[], others: Partial<ShortcutOptions> = {}): ShortcutOptions {
  return { files: ObjectFiles.open() as ObjectFiles, ports: [], cgroups, accept: EVERY_HAZARD, ...others };
}

function listenAt(ip: string): Listening {
  const at = { kind: 'ip', ip, port: 0 } as const;
  const fd = createSocket(addressFamily(at));
  if (bind(fd, at) < 0 || listen(fd, 8) < 0) throw new Error(`cannot listen at ${ip}`);
  return { fd, at: localAddress(fd) as IpAddress };
}

function connectTo(at: IpAddress): number {
  const fd = createSocket(addressFamily(at));
  connect(fd, at);
  return fd;
}

function connectAndSend(fd: number, at: IpAddress, text: string): number {
  const address = new NativeBuffer(128);
  const length = encodeSocketAddress(at, address);
  return sysSendto(fd, buffer.address, buffer.bytes.write(text), MSG_FASTOPEN, address.address, length);
}

function exchange(t: Test, client: number, server: number, request = 'request'): void {
  write(client, request);
  const asked = readAll(server);
  write(server, 'yes!');
  const answered = readAll(client);
  if (asked !== request || answered !== 'yes!') t.fail(`asked ${asked}, answered ${answered}`);
}

function write(fd: number, text: string): void {
  const length = buffer.bytes.write(text, 'latin1');
  const result = send(fd, buffer, 0, length);
  if (result !== length) throw new Error(`${result} of ${length} bytes were taken`);
}

function writeUntilHeldUp(fd: number): number {
  let taken = 0;
  while (taken < 64 << 20) {
    const result = send(fd, buffer, 0, buffer.length);
    if (result < 0) break;
    taken += result;
  }
  return taken;
}

/** All that can be read now. */
function readAll(fd: number): string {
  let text = '';
  for (;;) {
    const result = receive(fd, buffer, 0, buffer.length);
    if (result <= 0) {
      if (result < 0 && result !== -Errno.EAGAIN) throw new Error(`errno ${-result}`);
      return text;
    }
    text += buffer.bytes.toString('latin1', 0, result);
  }
}

/**
 * How many bytes came of so many: what TCP has taken and not delivered yet is waited for. On a busy machine it delivers later,
 * and an empty queue of the reader says nothing of that of the writer.
 */
function readUntil(fd: number, bytes: number): number {
  setBlocking(fd, 30_000);
  let count = 0;
  while (count < bytes) {
    const result = receive(fd, buffer, 0, Math.min(buffer.length, bytes - count));
    if (result <= 0) break;
    count += result;
  }
  setBlocking(fd, 1);
  return count;
}

function closeBoth(client: number, server: number): void {
  close(client);
  close(server);
}

function redirectedBytes({ shortcut }: Rig): number {
  return shortcut.counters()['redirected_bytes']!;
}
