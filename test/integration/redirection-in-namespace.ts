// Run by redirection.test.ts where connections from 10.9.0.100 (the application of a pod) are redirected to port 15001,
// those from 10.9.0.101 (its callers) to 15006. Listeners are shaped as Istio's.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { redirectedClusters, redirectedListeners } from '../support/redirected-mesh.ts';
import { type Sidecar, startSidecar } from '../support/sidecar.ts';

t.setTimeout(900_000);

for (const ip of ['10.9.0.1', '10.9.0.2', '10.9.0.100', '10.9.0.101']) {
  execFileSync('ip', ['address', 'add', `${ip}/32`, 'dev', 'lo']);
}

const application = '10.9.0.100';
const caller = '10.9.0.101';

async function startMesh(t: Test): Promise<Sidecar> {
  const listeners = redirectedListeners(['10.9.0.1'], ['0.0.0.0']);
  const clusters = await redirectedClusters(t);
  return startSidecar(t, {
    bootstrap: { static_resources: { listeners, clusters } },
    flags: ['--concurrency', '1'],
  });
}

/** Everything that comes back; the client ends its side with what it sends. */
async function converse(localAddress: string, host: string, port: number, sent?: string): Promise<string> {
  const socket = connect({ host, port, localAddress, allowHalfOpen: true });
  await once(socket, 'connect');
  if (sent !== undefined) socket.end(sent);
  const received = await text(socket);
  socket.destroy();
  return received;
}

const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Says its name, then what it received; or the name alone, at once. */
async function startTcpOrigin(t: Test, name: string, ip: string, port: number, speaksFirst = false): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    if (speaksFirst) socket.end(name);
    else socket.end(`${name} ${await text(socket)}`);
  });
  server.listen(port, ip);
  await once(server, 'listening');
  t.teardown(() => server.close());
}

t.test('a connection goes to the listener of its destination, of its port, or stays', async (t) => {
  await startTcpOrigin(t, 'real 8080', '10.9.0.2', 8080);
  await startTcpOrigin(t, 'real 9090', '10.9.0.2', 9090);
  await startMesh(t);
  t.match(await converse(application, '10.9.0.1', 8080, request), /\r\n\r\nexact$/, 'address and port');
  t.match(await converse(application, '10.9.0.2', 8080, request), /\r\n\r\nwildcard$/, 'the port of every address');
  t.equal(await converse(application, '10.9.0.2', 8080, '\0'), 'real 8080 \0', 'no HTTP: where it was headed');
  t.equal(await converse(application, '10.9.0.2', 9090, request), `real 9090 ${request}`, 'no listener has it');
});

t.test('a caller reaches the chain of the port it called', async (t) => {
  await startTcpOrigin(t, 'real 8080', '10.9.0.2', 8080);
  await startTcpOrigin(t, 'mysql', '10.9.0.2', 3306, true);
  await startMesh(t);
  t.match(await converse(caller, '10.9.0.2', 8080, request), /\r\n\r\napp$/);
  t.equal(await converse(caller, '10.9.0.2', 8080, '\0'), 'real 8080 \0');
  t.equal(await converse(caller, '10.9.0.2', 3306), 'mysql', 'a server that speaks first');
});

/** A reset, or what came before the end. */
async function endOf(localAddress: string, host: string, port: number): Promise<string> {
  try {
    return `closed after "${await converse(localAddress, host, port, request)}"`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

t.test('a direct call of a port for redirected connections is no loop', async (t) => {
  const sidecar = await startMesh(t);
  const dials: readonly [source: string, host: string][] = [
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.1', '10.9.0.1'],
    ['10.9.0.1', '10.9.0.1'],
    [application, '10.9.0.1'],
    [application, '10.9.0.2'],
    [caller, '10.9.0.1'],
  ];
  for (const [source, host] of dials) {
    for (const port of [15001, 15006]) {
      t.match(await endOf(source, host, port), /^(ECONNRESET|closed after "")$/, `${source} to ${host}:${port}`);
    }
  }
  const totals = await sidecar.admin('/stats?filter=^listener.*150..\\.downstream_cx_total');
  const accepted = [...totals.matchAll(/: (\d+)$/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
  // A caller's call of 15001 is passed on to where it was headed, and ends there.
  t.equal(accepted, dials.length * 2 + 1);
  t.match(await sidecar.admin('/stats?filter=cluster.passthrough.upstream_cx_total'), /: 1\n/);
});
