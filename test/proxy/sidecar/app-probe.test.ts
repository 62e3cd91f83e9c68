import dns from 'node:dns';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server } from 'node:net';
import t, { type Test } from 'tap';
import { Problems } from '../../../config/problems.ts';
import { type AppProbe, askProbe, readAppProbes } from '../../../proxy/sidecar/app-probe.ts';

const target = { host: '127.0.0.1', source: undefined };

async function listen(t: Test, server: Server): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('probes as the injector writes them', async (t) => {
  const problems = new Problems();
  const written = {
    '/app-health/cart/livez': {
      httpGet: { path: 'live', port: 8080, scheme: 'HTTPS', httpHeaders: [{ name: 'Host', value: 'a' }] },
      timeoutSeconds: 3,
    },
    '/app-health/cart/readyz': { tcpSocket: { port: 9000 } },
    '/app-health/cart/startupz': { grpc: { port: 7000, service: 'shop' } },
    '/app-lifecycle/cart/prestopz': { httpGet: { path: '/bye', port: 8080 } },
  };
  t.same(
    [...readAppProbes(written, problems).values()],
    [
      {
        kind: 'http',
        scheme: 'https',
        port: 8080,
        path: '/live',
        timeoutMs: 3000,
        headers: [{ name: 'Host', value: 'a' }],
      },
      { kind: 'tcp', port: 9000, timeoutMs: 1000 },
      { kind: 'grpc', port: 7000, service: 'shop', timeoutMs: 1000 },
      { kind: 'http', scheme: 'http', port: 8080, path: '/bye', timeoutMs: 1000, headers: [] },
    ],
  );
  t.same(problems.list, []);
});

t.test('a path of any text is asked, and a header that cannot be sent makes the probe fail', async (t) => {
  const paths: string[] = [];
  const server = createHttpServer(({ url }, response) => {
    paths.push(url!);
    response.end();
  });
  const port = await listen(t, server);
  const [probe] = readAppProbes(
    { '/app-health/a/livez': { httpGet: { path: '/is it üp?a=%20b\ud800', port }, timeoutSeconds: 1e12 } },
    new Problems(),
  ).values();
  t.match(await askProbe(probe!, target), { status: 200 });
  t.same(paths, ['/is%20it%20%C3%BCp?a=%20b%EF%BF%BD']);
  const broken = { ...probe!, headers: [{ name: 'a', value: 'b\nc' }] } as AppProbe;
  t.match(await askProbe(broken, target), { status: 500, text: /Invalid character in header/ });
});

t.test('a probe that cannot be asked is a problem with its place', async (t) => {
  const problems = new Problems('P');
  readAppProbes(
    { '/x': { tcpSocket: { port: 1 } }, '/app-health/a': {}, '/app-health/b': { httpGet: { port: 'web' } } },
    problems,
  );
  t.same(
    problems.list.map(({ path }) => path),
    ['P["/x"]', 'P["/app-health/a"].grpc.port', 'P["/app-health/b"].httpGet.port'],
  );
});

t.test(
  'HTTP: the application’s status is the answer, with the headers of the probe, and redirections are not followed',
  async (t) => {
    const seen: unknown[] = [];
    const server = createHttpServer(({ url, headers }, response) => {
      seen.push([url, headers.host, headers['user-agent']]);
      response.writeHead(url === '/moved' ? 302 : 503, { location: '/elsewhere' }).end('body');
    });
    const port = await listen(t, server);
    const probe = (path: string): AppProbe => ({
      kind: 'http',
      scheme: 'http',
      port,
      path,
      timeoutMs: 5000,
      headers: [{ name: 'Host', value: 'shop' }],
    });
    t.match(await askProbe(probe('/live'), target), { status: 503 });
    t.match(await askProbe(probe('/moved'), target), { status: 302 });
    t.same(seen, [
      ['/live', 'shop', 'kube-probe/outrigger'],
      ['/moved', 'shop', 'kube-probe/outrigger'],
    ]);
  },
);

t.test('an application that does not answer in time, or is not there, is unhealthy', async (t) => {
  const silent = createServer(() => undefined);
  const port = await listen(t, silent);
  const http = { kind: 'http', scheme: 'http', path: '/', headers: [] } as const;
  t.match(await askProbe({ ...http, port, timeoutMs: 50 }, target), { status: 500, text: /no answer within 50 ms/ });
  t.match(await askProbe({ ...http, port: 1, timeoutMs: 5000 }, target), { status: 500, text: /ECONNREFUSED/ });
  t.match(await askProbe({ kind: 'tcp', port: 1, timeoutMs: 5000 }, target), { status: 500, text: /ECONNREFUSED/ });
  t.match(await askProbe({ kind: 'tcp', port, timeoutMs: 5000 }, target), { status: 200 });
});

t.test('gRPC: serving is healthy, and nothing else', async (t) => {
  const statuses = [1, 2];
  const server = createHttp2Server();
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, statuses.shift()!]));
  });
  const port = await listen(t, server as unknown as Server);
  const probe = { kind: 'grpc', port, service: 's', timeoutMs: 5000 } as const;
  t.same(await askProbe(probe, target), { status: 200, text: 'the application serves' });
  t.match(await askProbe(probe, target), { status: 500, text: /does not serve \(status 2\)/ });
  t.match(await askProbe({ ...probe, port: 1 }, target), { status: 500, text: /cannot be asked: .*ECONNREFUSED/ });
});

t.test('the application is asked from the address that redirection leaves alone', async (t) => {
  const sources: (string | undefined)[] = [];
  const server = createHttpServer(({ socket }, response) => {
    sources.push(socket.remoteAddress);
    response.end();
  });
  server.on('connection', (socket) => sources.push(socket.remoteAddress));
  const port = await listen(t, server);
  const from = { ...target, source: '127.0.0.6' };
  const http = { kind: 'http', scheme: 'http', port, path: '/', timeoutMs: 5000, headers: [] } as const;
  t.match(await askProbe(http, from), { status: 200 });
  t.match(await askProbe({ kind: 'tcp', port, timeoutMs: 5000 }, from), { status: 200 });
  t.same([...new Set(sources)], ['127.0.0.6']);
});

t.test('localhost is looked up in the family of the address that is asked from', async (t) => {
  const port = await listen(
    t,
    createHttpServer((_request, response) => response.end()),
  );
  const health = createHttp2Server((_request, response) => response.writeHead(200, { 'grpc-status': '0' }).end());
  const healthPort = await listen(t, health as unknown as Server);
  const { lookup } = dns;
  t.teardown(() => Object.assign(dns, { lookup }));
  // As in a pod whose /etc/hosts has both.
  const lookupBoth = (_name: string, { family, all }: dns.LookupOptions, done: (...found: unknown[]) => void) => {
    const both = [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ];
    const found = both.filter((each) => !family || each.family === family);
    if (all) done(null, found);
    else done(null, found[0]!.address, found[0]!.family);
  };
  Object.assign(dns, { lookup: lookupBoth });
  const loopback = { host: 'localhost', source: '127.0.0.6' };
  const http = { kind: 'http', scheme: 'http', port, path: '/', timeoutMs: 5000, headers: [] } as const;
  t.match(await askProbe(http, loopback), { status: 200 });
  t.match(await askProbe({ kind: 'tcp', port, timeoutMs: 5000 }, loopback), { status: 200 });
  const grpc = { kind: 'grpc', port: healthPort, service: '', timeoutMs: 5000 } as const;
  t.match(await askProbe(grpc, loopback), { text: /does not serve \(status 0\)/ });
});
