// What goes wrong around the process must not harm those whom it serves: no descriptors left, a full disk for logs, an
// endpoint that never answers, a client that never reads.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { startPatientOrigin } from '../support/patient-origin.ts';
import { clusterAt, fileAccessLog, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';
import { connectTo, isDone, request, startBefore } from '../support/single-listener.ts';

/** CPU time of a process in ms, user and system (proc(5), in ticks of 10 ms). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Connected as far as the kernel is concerned; the process may not have accepted it. */
async function connectMany(t: Test, port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let index = 0; index < count; index++) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => socket.destroy());
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    sockets.push(socket);
  }
  return sockets;
}

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

t.test('without descriptors, those who are connected are served, others wait, and nothing spins', async (t) => {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port, descriptors: 80 });
  const port = sidecar.port('http');
  const first = await connectTo(t, port);
  const crowd = await connectMany(t, port, 100);
  const { msg } = await sidecar.logged(/new connections wait$/);
  t.match(msg, 'nearly all of the 80 descriptors (ulimit -n) are in use');

  await first.write(request('/'));
  t.match(await first.until(isDone), /^HTTP\/1\.1 200 /, 'there is a descriptor for the endpoint');
  const last = await connectTo(t, port);
  await last.write(request('/'));
  const before = cpuMs(sidecar.process.pid!);
  // The length of the measurement: nothing is waited for.
  await delay(1000);
  const spent = cpuMs(sidecar.process.pid!) - before;
  t.ok(spent < 250, `${spent} ms of CPU in a second of waiting`);
  t.equal(last.text, '', 'the last one waits in the queue');
  t.match(await sidecar.admin('/ready'), 'LIVE', 'the admin interface has its descriptors');

  for (const socket of crowd) socket.destroy();
  t.match(await last.until(isDone), /^HTTP\/1\.1 200 /, 'and is served when others left');
});

t.test('a full disk for logs costs lines, not requests', async (t) => {
  const origin = await startPatientOrigin(t);
  const manager = { access_log: [fileAccessLog('/dev/full', '%REQ(:path)%\n')] };
  const sidecar = await startBefore(t, { port: origin.port, manager, flags: ['--file-flush-interval-msec', '1'] });
  const client = await connectTo(t, sidecar.port('http'));
  for (let index = 0; index < 50; index++) {
    client.text = '';
    await client.write(request('/'));
    t.match(await client.until(isDone), /^HTTP\/1\.1 200 /);
  }
  const { msg } = await sidecar.logged(/^log \/dev\/full cannot be written/);
  t.match(msg, 'ENOSPC');
  t.match(await sidecar.admin('/stats?filter=filesystem.write_failed'), /: [1-9]/);
  t.equal(sidecar.log.filter((line) => line.msg.includes('/dev/full')).length, 1, 'said once');
  sidecar.process.kill('SIGTERM');
  t.equal(await sidecar.ended, 0, 'and does not keep the process from ending');
});

t.test('a dead endpoint and a client that does not read harm nobody else on the same worker', async (t) => {
  const origin = await startPatientOrigin(t);
  const bulk = createServer((_request, response) => response.end(Buffer.alloc(64 * 1024 * 1024, 'x')));
  bulk.listen(0, '127.0.0.1');
  const dead = createTcpServer((socket) => socket.pause());
  dead.listen(0, '127.0.0.1');
  await Promise.all([once(bulk, 'listening'), once(dead, 'listening')]);
  const sockets = new Set<Socket>();
  dead.on('connection', (socket) => sockets.add(socket));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    dead.close();
    bulk.close();
    bulk.closeAllConnections();
  });
  const routes = ['/bulk', '/dead', '/'].map((prefix) => ({ match: { prefix }, route: { cluster: prefix } }));
  const manager = { route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] } };
  const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;
  const sidecar = await startSidecar(t, {
    flags: ['--concurrency', '1'],
    bootstrap: {
      static_resources: {
        listeners: [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('/', manager)] }],
        clusters: [clusterAt('/', origin.port), clusterAt('/bulk', portOf(bulk)), clusterAt('/dead', portOf(dead))],
      },
    },
  });
  const port = sidecar.port('http');
  const slow = await connectMany(t, port, 4);
  for (const socket of slow) {
    socket.pause();
    socket.write(request('/bulk'));
  }
  const stuck = await connectMany(t, port, 4);
  for (const socket of stuck) socket.write(request('/dead'));

  const client = await connectTo(t, port);
  for (let index = 0; index < 100; index++) {
    client.text = '';
    await client.write(request('/'));
    t.match(await client.until(isDone), /^HTTP\/1\.1 200 /);
  }
  const memory = Number(readFileSync(`/proc/${sidecar.process.pid}/statm`, 'utf8').split(' ')[1]) * 4096;
  t.ok(memory < 256 * 1024 * 1024, `${memory} bytes resident with four times 64 MiB unread`);
});
