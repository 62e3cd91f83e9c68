import { once } from 'node:events';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Address } from '../../../config/address.ts';
import type { Listener } from '../../../config/listener.ts';
import { accept, close, duplicate } from '../../../native/socket.ts';
import {
  closeAddresses,
  dealSockets,
  type OpenedAddress,
  type OpenedListener,
  type OpenFailure,
  openAddresses,
  openListener,
  openMissing,
} from '../../../proxy/listener/listener-opening.ts';
import { httpListener, managerOf } from '../../support/data-plane.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';

function open(t: { teardown(fn: () => void): void }, given: Partial<Listener>, workers: number): OpenedListener {
  const opened = openListener({ ...httpListener('l', managerOf([])), ...given }, workers);
  if ('reason' in opened) throw new Error(opened.reason);
  t.teardown(() => {
    for (const descriptor of opened.descriptors.flat()) close(descriptor);
  });
  return opened;
}

const loopback = { kind: 'ip', ip: '127.0.0.1', port: 0 } as const;

t.test('every worker has a socket of its own on the same port', (t) => {
  const { addresses, descriptors } = open(t, {}, 3);
  t.equal(addresses.length, 1);
  t.match(addresses[0], /^127\.0\.0\.1:[1-9]/);
  t.equal(new Set(descriptors.flat()).size, 3);
  t.end();
});

t.test('without SO_REUSEPORT all workers accept from one queue', async (t) => {
  const { addresses, descriptors } = open(t, { reusePort: false }, 2);
  const port = Number(addresses[0]!.split(':')[1]);
  const clients = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  for (const client of clients) await once(client, 'connect');
  for (const [descriptor] of descriptors) {
    const accepted = accept(descriptor!);
    t.ok(accepted >= 0);
    close(accepted);
  }
  for (const client of clients) client.destroy();
});

t.test('a pipe is one socket with its mode, for all workers', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-pipe-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'socket');
  const { addresses, descriptors } = open(t, { address: { kind: 'pipe', path, mode: 0o600 } }, 2);
  t.same(addresses, [path]);
  t.equal(descriptors.flat().length, 2);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.end();
});

t.test('additional addresses of either family are opened', (t) => {
  const { addresses, descriptors } = open(t, { additionalAddresses: [{ kind: 'ip', ip: '::1', port: 0 }] }, 2);
  t.matchOnly(addresses, [/^127\.0\.0\.1:/, /^\[::1\]:/]);
  t.same(
    descriptors.map((own) => own.length),
    [2, 2],
  );
  t.end();
});

t.test('a listener that binds no port opens nothing', (t) => {
  t.same(open(t, { bindToPort: false }, 2), { addresses: [], descriptors: [[], []] });
  t.end();
});

t.test('a taken address is told, and nothing stays open', async (t) => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const before = openDescriptors();
  const config = { ...httpListener('l', managerOf([])), additionalAddresses: [{ ...loopback, port }] };
  t.match(openListener(config, 2), {
    address: `127.0.0.1:${port}`,
    reason: /^address already in use; `ss -ltnp sport = :\d+` shows/,
  });
  t.equal(openDescriptors(), before);
});

t.test('beside the address that stands for all another one is had where both share the port', async (t) => {
  const any = open(t, { address: { ...loopback, ip: '0.0.0.0' } }, 2);
  const port = Number(any.addresses[0]!.split(':')[1]);
  const { descriptors } = open(t, { address: { ...loopback, port } }, 2);
  const clients = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'));
  for (const client of clients) await once(client, 'connect');
  const accepted = descriptors
    .flat()
    .flatMap((socket) => clients.map(() => accept(socket)).filter((each) => each >= 0));
  t.equal(accepted.length, 8, 'all come to who has just this address');
  for (const each of accepted) close(each);
  for (const client of clients) client.destroy();
});

t.test('one socket for each of two addresses of which one stands for the other is refused in words', (t) => {
  const [first, second] = [4711, 4711].map((port) => ({ ...loopback, port }));
  const config = { ...httpListener('l', managerOf([])), reusePort: false };
  const addresses = { address: first!, additionalAddresses: [{ ...second!, ip: '0.0.0.0' }] };
  t.same(openListener({ ...config, ...addresses }, 2), {
    address: '0.0.0.0:4711',
    reason: 'the listener has 127.0.0.1:4711 too, and only with enable_reuse_port it can have both',
  });
  t.end();
});

t.test('a place that cannot be had is told with what to do', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const reason = (address: Address) => {
    const failure = openListener({ ...httpListener('l', managerOf([])), address }, 1);
    if ('reason' in failure) return failure.reason;
    for (const descriptor of failure.descriptors.flat()) close(descriptor);
    return 'it listens';
  };
  t.equal(reason({ kind: 'pipe', path: `${folder}/none/socket` }), `there is no folder ${folder}/none; make it`);
  const lowest = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  const user = process.geteuid!();
  if (user === 0) process.seteuid!(65_534);
  const path = user === 0 ? `${folder}/socket` : '/socket';
  const refusals = [reason({ ...loopback, port: 1 }), reason({ kind: 'pipe', path })];
  if (user === 0) process.seteuid!(0);
  t.same(refusals, [
    lowest < 2 ? 'it listens' : 'permission denied; a port this low needs CAP_NET_BIND_SERVICE',
    `permission denied; let uid ${user === 0 ? 65_534 : user} write in ${dirname(path)}`,
  ]);
  t.end();
});

/** Listening sockets of an earlier process, which are those of a listener of ours. */
function earlier(t: { teardown(fn: () => void): void }, count: number, given: Partial<Listener> = {}) {
  const { addresses, descriptors } = open(t, given, count);
  const sockets = descriptors.flat().map((descriptor) => duplicate(descriptor));
  const port = Number(addresses[0]!.split(':')[1]);
  return { config: { ...httpListener('l', managerOf([])), ...given, address: { ...loopback, port } }, sockets, port };
}

function opened(found: readonly OpenedAddress[] | OpenFailure): readonly OpenedAddress[] {
  if ('reason' in found) throw new Error(found.reason);
  return found;
}

/** Whether two descriptors are one socket. */
const inode = (descriptor: number): string => readlinkSync(`/proc/self/fd/${descriptor}`);

t.test('inherited sockets are taken in place of new ones, and every worker has one', (t) => {
  for (const [sockets, workers] of [
    [3, 2],
    [2, 2],
    [1, 3],
  ] as const) {
    const before = earlier(t, sockets, { reusePort: sockets > 1 });
    const found = opened(openAddresses(before.config, workers, () => before.sockets));
    openMissing(before.config, found, workers);
    const dealt = dealSockets(found, workers, true);
    if ('reason' in dealt) throw new Error(dealt.reason);
    t.ok(dealt.every((own) => own.length > 0));
    const all = new Set(dealt.flat().map(inode));
    t.same(all, new Set(before.sockets.map(inode)), `${sockets} for ${workers}: none is left without a worker`);
    for (const descriptor of dealt.flat()) close(descriptor);
    closeAddresses(found);
  }
  t.end();
});

t.test('sockets that are missing are opened when the listener begins, not before', (t) => {
  const before = earlier(t, 1);
  const found = opened(openAddresses(before.config, 3, () => before.sockets));
  t.equal(found[0]!.sockets.length, 1);
  openMissing(before.config, found, 3);
  t.equal(new Set(found[0]!.sockets.map(inode)).size, 3);
  closeAddresses(found);
  t.end();
});

t.test('an inherited socket that had its port for itself shares it, where workers are to have their own', (t) => {
  const before = earlier(t, 1, { reusePort: false });
  const config = { ...before.config, reusePort: true };
  const found = opened(openAddresses(config, 3, () => before.sockets));
  openMissing(config, found, 3);
  t.equal(new Set(found[0]!.sockets.map(inode)).size, 3);
  closeAddresses(found);
  t.end();
});

t.test('what the configuration wants of sockets is set on inherited ones', async (t) => {
  const before = earlier(t, 1);
  const config = { ...before.config, backlog: 0, transparent: true, freebind: true, keepAlive: { probes: 3 } };
  const found = openAddresses(config, 1, () => before.sockets);
  // Of these, being transparent needs a capability.
  if ('reason' in found) t.match(found.reason, /not permitted/);
  else closeAddresses(found);
  t.end();
});
