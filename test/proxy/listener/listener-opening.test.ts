import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Listener } from '../../../config/listener.ts';
import { accept, close } from '../../../native/socket.ts';
import { type OpenedListener, openListener } from '../../../proxy/listener/listener-opening.ts';
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
  t.match(addresses, [/^127\.0\.0\.1:/, /^\[::1\]:/]);
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
  t.match(openListener(config, 2), { address: `127.0.0.1:${port}`, reason: /in use/ });
  t.equal(openDescriptors(), before);
});
