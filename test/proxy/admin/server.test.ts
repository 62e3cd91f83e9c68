import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

/** Sends raw bytes and reads until the server ends the connection. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => socket.destroy());
  socket.write(bytes);
  let text = '';
  socket.setEncoding('latin1').on('data', (data: string) => {
    text += data;
  });
  await once(socket, 'close');
  return text;
}

t.test('a path that is not there is 404 with the list of those that are', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const { status, text } = await admin.get('/nothing');
  t.equal(status, 404);
  t.match(text, /^invalid path\. admin commands are:\n {2}\/: /);
});

t.test('a path that changes something takes POST only, in the words of Envoy', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const { status, text } = await admin.get('/quitquitquit');
  t.equal(status, 405);
  t.equal(text, 'Method GET not allowed, POST required.');
  t.strictSame(admin.calls, []);
  t.equal((await admin.post('/quitquitquit')).text, 'OK\n');
  t.strictSame(admin.calls, ['shutdown']);
});

t.test('a page of another origin cannot post', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const foreign = await admin.post('/quitquitquit', { headers: { origin: 'http://evil.example' } });
  t.equal(foreign.status, 403);
  t.strictSame(admin.calls, []);
  t.equal((await admin.post('/healthcheck/fail', { headers: { origin: admin.origin } })).status, 200);
});

t.test('targets that are no URL are answered and end nothing', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  for (const target of ['//', '//[', '/%', 'http://[/', '*', '/stats?filter=%']) {
    t.match(await raw(admin.port, `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 \d/);
  }
  t.equal((await admin.get('/help')).status, 200);
});

t.test('HEAD is answered without a body', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const text = await raw(admin.port, 'HEAD /help HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(text, /\r\n\r\n$/);
});

t.test('a head or body that is too large is refused', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  t.match(
    await raw(admin.port, `GET /stats HTTP/1.1\r\nHost: a\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`),
    /^HTTP\/1\.1 431 /,
  );
  const body = 'x'.repeat(200_000);
  t.match(
    await raw(
      admin.port,
      `POST /runtime_modify HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    ),
    /^HTTP\/1\.1 413 /,
  );
});

t.test('a client that sends or reads nothing loses its connection', async (t) => {
  const admin = await startAdmin({ options: { idleTimeoutMs: 50 } });
  t.teardown(admin.stop);
  for (let number = 0; number < 3000; number++) admin.worker.block(clusterStats, `cluster-${number}`);
  const silent = connect(admin.port, '127.0.0.1');
  const reader = connect(admin.port, '127.0.0.1');
  silent.resume();
  for (const socket of [silent, reader]) socket.on('error', () => socket.destroy());
  reader.pause();
  reader.write('GET /stats HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(silent, 'close');
  const connections = () => admin.openConnections();
  while ((await connections()) > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(await connections(), 0);
  reader.destroy();
});

t.test('an answer that throws is 500 and the next request is served', async (t) => {
  const admin = await startAdmin({
    options: {
      reopenLogs: () => {
        throw new Error('broken');
      },
    },
  });
  t.teardown(admin.stop);
  t.equal((await admin.post('/reopen_logs')).status, 500);
  t.equal((await admin.get('/ready')).status, 503);
});

t.test('answers are not cached and not sniffed; the page lets nothing foreign in', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const { headers } = await admin.get('/help');
  t.equal(headers.get('cache-control'), 'no-cache, max-age=0');
  t.equal(headers.get('x-content-type-options'), 'nosniff');
  const policy = (await admin.get('/')).headers.get('content-security-policy') ?? '';
  t.match(policy, /default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-/);
  t.notMatch(policy, /unsafe/);
});

t.test('where paths are allowed one by one, all others are refused, with their query', async (t) => {
  const address = { kind: 'ip', ip: '127.0.0.1', port: 0 } as const;
  const allowedPaths = [
    { kind: 'exact', value: '/ready', ignoreCase: false },
    { kind: 'prefix', value: '/stats', ignoreCase: false },
  ] as const;
  const admin = await startAdmin({ options: { admin: { address, allowedPaths } } });
  t.teardown(admin.stop);
  for (const [path, status] of [
    ['/ready', 503],
    ['/ready?x', 403],
    ['/stats?filter=none', 200],
    ['/stats/prometheus', 200],
    ['/', 403],
    ['/help', 403],
    ['/nothing', 403],
  ] as const) {
    t.equal((await admin.get(path)).status, status, path);
  }
  const { status, text } = await admin.post('/quitquitquit');
  t.equal(status, 403);
  t.equal(text, 'request to path /quitquitquit not allowed');
  t.strictSame(admin.calls, []);
});

t.test('a pipe has its mode, and takes the place of what a process left that was killed', async (t) => {
  // The path of a socket has 107 bytes at most.
  const folder = mkdtempSync(join(tmpdir(), 'admin-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'admin.sock');
  const left = spawnSync(process.execPath, ['-e', leavesSocket, path]);
  t.equal(left.signal, 'SIGKILL');
  t.ok(statSync(path).isSocket());
  const admin = await startAdmin({ options: { admin: { address: { kind: 'pipe', path, mode: 0o640 } } } });
  t.teardown(admin.stop);
  t.equal(statSync(path).mode & 0o777, 0o640);
  const [response] = (await once(request({ socketPath: path, path: '/ready' }).end(), 'response')) as [IncomingMessage];
  t.equal(response.statusCode, 503, 'it has no configuration');
  response.resume();
  await once(response, 'end');
});

t.test('a pipe that a living process listens at is not taken from it, nor what a link leads to', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'admin-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'admin.sock');
  const link = join(folder, 'link.sock');
  const owner = createServer((socket) => socket.on('error', () => socket.destroy()).end('owner')).listen(path);
  await once(owner, 'listening');
  t.teardown(() => owner.close());
  symlinkSync(path, link);
  for (const taken of [path, link]) {
    const second = spawnSync(process.execPath, ['--input-type=module', '-e', startsAdmin, fixtures, taken], {
      encoding: 'utf8',
      timeout: 20_000,
    });
    t.equal(second.status, 1, second.stderr);
    t.match(
      second.stdout,
      `the admin interface cannot listen on ${taken}: address already in use; \`ss -lxp src ${taken}\` shows`,
    );
  }
  t.ok(lstatSync(link).isSymbolicLink());
  const client = connect(path);
  const [answer] = await once(client.setEncoding('latin1'), 'data');
  t.equal(answer, 'owner');
});

/** A process that begins to listen with its admin interface, and tells what hinders it. */
const startsAdmin = `
  const { startAdmin } = await import(process.argv[1]);
  const log = { component: () => ({ info: () => {}, warn: console.log, critical: console.log }) };
  await startAdmin({ options: { log, admin: { address: { kind: 'pipe', path: process.argv[2] } } } });
`;
const fixtures = new URL('../../support/admin-fixtures.ts', import.meta.url).href;

/** A process that listens and is killed. */
const leavesSocket =
  "require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
