// Listeners of the whole process, with two workers: addresses, limits, filter chains, counters and logs.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startNamedOrigin } from '../support/named-origin.ts';
import { pause } from '../support/pause.ts';
import {
  clusterAt,
  fileAccessLog,
  httpFilterChain,
  type Sidecar,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';

interface Given {
  readonly listeners: readonly object[];
  readonly bootstrap?: object;
  readonly flags?: readonly string[];
}

/** Two workers in front of an origin that answers `app`. */
async function start(t: Test, { listeners, bootstrap = {}, flags = [] }: Given): Promise<Sidecar> {
  const port = await startNamedOrigin(t, 'app');
  return startSidecar(t, {
    bootstrap: { static_resources: { listeners, clusters: [clusterAt('app', port)] }, ...bootstrap },
    flags: ['--concurrency', '2', ...flags],
  });
}

function httpListenerOn(address: object, given: object = {}): object {
  return { name: 'http', stat_prefix: 'http', address, filter_chains: [httpFilterChain('app')], ...given };
}

async function bodyOf(options: object): Promise<string> {
  const [response] = (await once(get({ agent: false, ...options }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const data of response) text += data;
  return text;
}

/** A connection that is accepted; resolves with the first bytes, or `closed`. */
async function hold(t: Test, port: number): Promise<{ readonly socket: Socket; readonly outcome: Promise<string> }> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const outcome = new Promise<string>((resolve) => {
    socket.on('error', () => resolve('closed'));
    socket.on('close', () => resolve('closed'));
    socket.on('data', (data) => resolve(data.toString('latin1').slice(0, 12)));
  });
  return { socket, outcome };
}

async function stat(sidecar: Sidecar, name: string): Promise<number> {
  const text = await sidecar.admin(`/stats?filter=^${name}$`);
  return Number(text.slice(text.indexOf(':') + 1));
}

/** Resolves when a stat has this value; what workers count arrives without a message. */
async function reaches(sidecar: Sidecar, name: string, value: number): Promise<void> {
  while ((await stat(sidecar, name)) !== value) await pause();
}

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

t.test('a limit of connections holds over all workers', async (t) => {
  const limit = { layered_runtime: { layers: [layer({ 'envoy.resource_limits.listener.http.connection_limit': 3 })] } };
  const sidecar = await start(t, { listeners: [httpListenerOn(socketAddress(0))], bootstrap: limit });
  const held = [];
  for (let index = 0; index < 10; index++) held.push(await hold(t, sidecar.port('http')));
  const outcomes = await Promise.all(held.map(({ outcome }) => outcome));
  t.equal(outcomes.filter((outcome) => outcome === 'HTTP/1.1 200').length, 3);
  t.equal(await stat(sidecar, 'listener.http.downstream_cx_overflow'), 7);
  t.equal(await stat(sidecar, 'listener.http.downstream_cx_active'), 3);
  const byWorker = await Promise.all([0, 1].map((n) => stat(sidecar, `listener.http.worker_${n}.downstream_cx_total`)));
  t.equal(byWorker[0]! + byWorker[1]!, 3);
  for (const { socket } of held) socket.destroy();
  await reaches(sidecar, 'listener.http.downstream_cx_active', 0);
  t.equal(await (await hold(t, sidecar.port('http'))).outcome, 'HTTP/1.1 200', 'those that left make room');
});

t.test('the limit of the process counts all listeners but those that ignore it', async (t) => {
  const free = {
    ...httpListenerOn(socketAddress(0)),
    name: 'free',
    stat_prefix: 'free',
    ignore_global_conn_limit: true,
  };
  const sidecar = await start(t, {
    listeners: [httpListenerOn(socketAddress(0)), free],
    bootstrap: { layered_runtime: { layers: [layer({ 'overload.global_downstream_max_connections': 2 })] } },
  });
  const held = [];
  for (let index = 0; index < 4; index++) held.push(await hold(t, sidecar.port('http')));
  const outcomes = await Promise.all(held.map(({ outcome }) => outcome));
  t.equal(outcomes.filter((outcome) => outcome === 'HTTP/1.1 200').length, 2);
  t.equal(await stat(sidecar, 'listener.http.downstream_global_cx_overflow'), 2);
  t.equal(await (await hold(t, sidecar.port('free'))).outcome, 'HTTP/1.1 200');
});

t.test('port 0 is the same port for all workers', async (t) => {
  const sidecar = await start(t, { listeners: [httpListenerOn(socketAddress(0))] });
  for (let index = 0; index < 8; index++) {
    t.equal(await bodyOf({ host: '127.0.0.1', port: sidecar.port('http') }), 'app');
  }
  t.equal((await sidecar.admin('/listeners')).trim().split('\n').length, 1);
});

t.test('IPv6, dual-stack and a Unix socket are listened on', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-listener-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'http.sock');
  const logPath = join(folder, 'access.log');
  const dual = { socket_address: { address: '::', port_value: 0, ipv4_compat: true } };
  const logged = httpFilterChain('app', {
    access_log: [fileAccessLog(logPath, '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\n')],
  });
  const sidecar = await start(t, {
    listeners: [
      httpListenerOn(socketAddress(0, '::1'), { name: 'six' }),
      { name: 'dual', address: dual, filter_chains: [logged] },
      httpListenerOn({ pipe: { path, mode: 0o660 } }, { name: 'pipe' }),
      httpListenerOn(socketAddress(0), { name: 'one', enable_reuse_port: false }),
    ],
    flags: ['--file-flush-interval-msec', '10'],
  });
  t.equal(await bodyOf({ host: '::1', port: sidecar.port('six') }), 'app');
  t.equal(await bodyOf({ host: '127.0.0.1', port: sidecar.port('dual') }), 'app');
  t.equal(await bodyOf({ host: '::1', port: sidecar.port('dual') }), 'app');
  t.equal(await bodyOf({ socketPath: path }), 'app');
  t.equal(await bodyOf({ host: '127.0.0.1', port: sidecar.port('one') }), 'app');
  t.equal(statSync(path).mode & 0o777, 0o660);
  sidecar.process.kill('SIGTERM');
  t.equal(await sidecar.ended, 0);
  t.same(
    readFileSync(logPath, 'utf8').trim().split('\n').sort(),
    ['127.0.0.1', '::1'],
    'a mapped peer is an IPv4 peer',
  );
});

t.test('a connection without a filter chain is closed, counted and logged by its listener', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-listener-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'listener.log');
  const chain = {
    ...httpFilterChain('app'),
    filter_chain_match: { source_prefix_ranges: [{ address_prefix: '127.0.0.2', prefix_len: 32 }] },
  };
  const format = '%RESPONSE_FLAGS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %BYTES_RECEIVED% %BYTES_SENT%\n';
  const sidecar = await start(t, {
    listeners: [
      httpListenerOn(socketAddress(0), { filter_chains: [chain], access_log: [fileAccessLog(path, format)] }),
    ],
  });
  t.equal(await (await hold(t, sidecar.port('http'))).outcome, 'closed');
  t.equal(await bodyOf({ host: '127.0.0.1', port: sidecar.port('http'), localAddress: '127.0.0.2' }), 'app');
  t.equal(await stat(sidecar, 'listener.http.no_filter_chain_match'), 1);
  await reaches(sidecar, 'listener.http.downstream_cx_destroy', 2);
  t.match(await sidecar.admin('/stats?filter=downstream_cx_length_ms'), /listener\.http\.downstream_cx_length_ms: P0/);
  sidecar.process.kill('SIGTERM');
  await sidecar.ended;
  // Each line came from the worker that had the connection; which is written first is chance.
  const [served, refused] = readFileSync(path, 'utf8').trim().split('\n').sort();
  t.equal(refused, 'NR 127.0.0.1 0 0');
  t.match(served, /^- 127\.0\.0\.2 [1-9]\d+ [1-9]\d+$/);
});

t.test('listeners of one process do not share their filter chains', async (t) => {
  const tcp = { name: 'tcp', address: socketAddress(0), filter_chains: [tcpFilterChain('app')] };
  const sidecar = await start(t, { listeners: [httpListenerOn(socketAddress(0)), tcp] });
  t.equal(await bodyOf({ host: '127.0.0.1', port: sidecar.port('tcp') }), 'app');
  t.equal(await stat(sidecar, 'tcp.tcp.downstream_cx_total'), 1);
  t.equal(await stat(sidecar, 'http.ingress.downstream_cx_total'), 0);
});

function layer(values: object): object {
  return { name: 'static', static_layer: values };
}
