import { once } from 'node:events';
import { createServer, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { type StatusPorts, StatusServer, type StatusServerOptions } from '../../../proxy/sidecar/status-server.ts';

const anyPorts = { status: 0, health: 0, prometheus: 0 };

const nothing: StatusServerOptions = {
  readiness: async () => ({ isReady: true, reason: 'LIVE' }),
  metrics: async () => 'own 1',
  probes: new Map(),
  probeTarget: { host: '127.0.0.1', source: undefined },
  appMetrics: [],
  quit: () => undefined,
  drain: () => undefined,
  schedule: () => undefined,
};

async function start(t: Test, options: Partial<StatusServerOptions> = {}): Promise<StatusPorts> {
  const server = new StatusServer({ ...nothing, ...options });
  t.teardown(() => server.close());
  return server.listen(anyPorts, '127.0.0.1');
}

async function ask(port: number, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return [response.status, await response.text()] as const;
}

/** To the end of the stream, or until it is cut. */
async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.on('error', () => socket.destroy());
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

async function startApplication(t: Test, answer: string, status = 200): Promise<number> {
  const server = createServer((_request, response) => response.writeHead(status).end(answer));
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('readiness is asked at 15020 and 15021, by whatever follows a question mark', async (t) => {
  let isReady = false;
  const ports = await start(t, { readiness: async () => ({ isReady, reason: isReady ? 'LIVE' : 'INITIALIZING' }) });
  t.same(await ask(ports.health, '/healthz/ready?verbose'), [503, 'INITIALIZING\n']);
  isReady = true;
  t.same(await ask(ports.health, '/healthz/ready'), [200, 'LIVE\n']);
  t.same(await ask(ports.status, '/healthz/ready'), [200, 'LIVE\n']);
});

t.test('metrics of the application follow our own at 15020, and not at 15090', async (t) => {
  const port = await startApplication(t, 'theirs 2\n');
  const ports = await start(t, { appMetrics: [{ host: '127.0.0.1', port, path: '/m' }] });
  const [status, text] = await ask(ports.status, '/stats/prometheus');
  t.equal(status, 200);
  t.match(text, /^own 1\ntheirs 2\n\n[\s\S]*istio_agent_scrape_failures_total\{type="application"\} 0\n$/);
  t.equal((await ask(ports.status, '/metrics'))[1], text, 'the agent’s other name of it');
  t.same(await ask(ports.prometheus, '/stats/prometheus'), [200, 'own 1\n']);
});

t.test('several places of metrics follow one another, each from a new line', async (t) => {
  const [first, second] = [await startApplication(t, 'first 1'), await startApplication(t, 'second 2')];
  const place = { host: '127.0.0.1', path: '/m' };
  const ports = await start(t, { appMetrics: [first, 1, second].map((port) => ({ ...place, port })) });
  t.match(
    (await ask(ports.status, '/stats/prometheus'))[1],
    /^own 1\nfirst 1\nsecond 2\n[\s\S]*failures_total\{type="application"\} 1\n$/,
  );
});

t.test('metrics of an application that ends in the middle are no whole answer', async (t) => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('theirs');
    response.socket!.end();
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ports = await start(t, { appMetrics: [{ host: '127.0.0.1', port, path: '/m' }] });
  await t.rejects(ask(ports.status, '/stats/prometheus'));
});

t.test('an application that answers when nobody waits for it any more is left', async (t) => {
  // So that it is not left for its slowness.
  const { timeout } = AbortSignal;
  Object.assign(AbortSignal, { timeout: () => new AbortController().signal });
  t.teardown(() => Object.assign(AbortSignal, { timeout }));
  const asked = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, response) => asked.resolve(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const ports = await start(t, { appMetrics: [{ host: '127.0.0.1', port, path: '/m' }] });
  const scrape = connect(ports.status, '127.0.0.1');
  scrape.write('GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n');
  const application = await asked.promise;
  scrape.resetAndDestroy();
  await once(scrape, 'close');
  await ask(ports.health, '/healthz/ready');
  const left = once(application, 'close');
  application.write('theirs 1\n');
  await left;
  t.ok(application.destroyed);
});

t.test('an application that cannot be asked costs its own metrics only, and is counted', async (t) => {
  const port = await startApplication(t, 'broken', 500);
  const ports = await start(t, { appMetrics: [{ host: '127.0.0.1', port, path: '/m' }] });
  t.match(
    (await ask(ports.status, '/stats/prometheus'))[1],
    /^own 1\n[\s\S]*failures_total\{type="application"\} 1\n$/,
  );
  t.match((await ask(ports.status, '/stats/prometheus'))[1], /failures_total\{type="application"\} 2\n$/);
});

t.test('without our own metrics there is no answer that looks whole', async (t) => {
  const ports = await start(t, { metrics: () => Promise.reject(new Error('not yet')) });
  t.same(await ask(ports.prometheus, '/stats/prometheus'), [503, 'there are no metrics: not yet\n']);
});

t.test('the application’s probes are asked by their paths', async (t) => {
  const port = await startApplication(t, '', 418);
  const probe = { kind: 'http', scheme: 'http', port, path: '/', timeoutMs: 1000, headers: [] } as const;
  const ports = await start(t, { probes: new Map([['/app-health/a/livez', probe]]) });
  t.same(await ask(ports.status, '/app-health/a/livez'), [418, 'the application answered 418\n']);
  t.equal((await ask(ports.status, '/app-health/b/livez'))[0], 404);
});

t.test('the pod itself may end the sidecar, by POST', async (t) => {
  let quits = 0;
  const ports = await start(t, { quit: () => quits++ });
  t.equal((await ask(ports.status, '/quitquitquit'))[0], 405);
  t.equal(quits, 0);
  t.equal((await ask(ports.status, '/quitquitquit', 'POST'))[0], 200);
  t.equal(quits, 1);
});

t.test('the pod itself may send clients away, by POST: the hook of a native sidecar does', async (t) => {
  let drains = 0;
  const ports = await start(t, { drain: () => drains++ });
  t.equal((await ask(ports.status, '/drain'))[0], 405);
  t.equal((await ask(ports.health, '/drain', 'POST'))[0], 404, 'at no other port');
  t.equal(drains, 0);
  t.equal((await ask(ports.status, '/drain', 'POST'))[0], 200);
  t.equal(drains, 1);
});

t.test('what a sidecar brings to the pod from elsewhere is not the pod itself', async (t) => {
  let quits = 0;
  const ports = await start(t, { quit: () => quits++ });
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const options = { host: '127.0.0.1', port: ports.status, path: '/quitquitquit', method: 'POST' };
  request({ ...options, localAddress: '127.0.0.6' }, ({ statusCode }) => resolve(statusCode)).end();
  t.equal(await promise, 403);
  t.equal(quits, 0);
});

t.test('what was refused is told to the pod alone', async (t) => {
  const readiness = async ({ verbose }: { verbose: boolean }) => ({ isReady: true, reason: verbose ? 'all' : 'LIVE' });
  const ports = await start(t, { readiness });
  t.same(await ask(ports.health, '/healthz/ready?verbose'), [200, 'all\n']);
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = { host: '127.0.0.1', port: ports.health, path: '/healthz/ready?verbose', localAddress: '127.0.0.6' };
  request(options, (response) => response.on('data', (chunk) => resolve(String(chunk)))).end();
  t.equal(await promise, 'LIVE\n');
});

t.test('requests in one packet are one request, and metrics are made once for all who wait', async (t) => {
  let asked = 0;
  const { promise: metrics, resolve: answer } = Promise.withResolvers<string>();
  const ports = await start(t, {
    metrics: () => {
      asked++;
      return metrics;
    },
  });
  const socket = connect(ports.prometheus, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET /stats/prometheus HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(100));
  const other = ask(ports.status, '/stats/prometheus');
  await until(() => asked > 0);
  answer('own 1');
  const text = await readAll(socket);
  t.equal(text.match(/own 1/g)?.length, 1);
  t.strictSame(await other, [200, 'own 1\n']);
  t.equal(asked, 1);
});

t.test('metrics are made once a second at most, however often they are asked for', async (t) => {
  let made = 0;
  const later: (() => void)[] = [];
  const ports = await start(t, {
    metrics: async () => `own ${++made}`,
    schedule: (delayMs, callback) => {
      t.equal(delayMs, 1000);
      later.push(callback);
    },
  });
  for (const port of [ports.prometheus, ports.status]) t.match((await ask(port, '/stats/prometheus'))[1], /^own 1\n/);
  later.shift()!();
  t.same(await ask(ports.prometheus, '/stats/prometheus'), [200, 'own 2\n']);
});

t.test('without our own metrics the next who asks is not told of a second ago', async (t) => {
  let isThere = false;
  const metrics = async () => {
    if (isThere) return 'own 1';
    isThere = true;
    throw new Error('not yet');
  };
  const ports = await start(t, { metrics });
  t.equal((await ask(ports.prometheus, '/stats/prometheus'))[0], 503);
  t.equal((await ask(ports.prometheus, '/stats/prometheus'))[0], 200);
});

t.test('who holds scrapes or connections open keeps nobody out: the oldest ends', async (t) => {
  const ports = await start(t, { metrics: async () => 'own 1\n'.repeat(1e6) });
  const scrapes = Array.from({ length: 8 }, () => connect(ports.prometheus, '127.0.0.1'));
  t.teardown(() => {
    for (const socket of [...scrapes, ...others]) socket.destroy();
  });
  for (const socket of scrapes) {
    socket.write('GET /stats/prometheus HTTP/1.1\r\nhost: a\r\n\r\n');
    await once(socket, 'readable');
  }
  t.equal((await ask(ports.prometheus, '/stats/prometheus'))[0], 200);
  t.ok((await readAll(scrapes[0]!)).length < 6e6, 'it is cut');
  t.ok((await readAll(scrapes[7]!)).length > 6e6);
  const others = Array.from({ length: 128 }, () => connect(ports.health, '127.0.0.1'));
  await Promise.all(others.map((socket) => once(socket, 'connect')));
  t.same(await ask(ports.health, '/healthz/ready'), [200, 'LIVE\n']);
});

t.test('other methods and paths are refused', async (t) => {
  const ports = await start(t);
  t.equal((await ask(ports.status, '/healthz/ready', 'POST'))[0], 405);
  t.equal((await ask(ports.health, '/stats/prometheus'))[0], 404);
  t.equal((await ask(ports.prometheus, '/'))[0], 404);
});

t.test('a port that is taken is an error', async (t) => {
  const ports = await start(t);
  const second = new StatusServer(nothing);
  t.teardown(() => second.close());
  await t.rejects(second.listen({ ...anyPorts, status: ports.status }, '127.0.0.1'), { code: 'EADDRINUSE' });
});
