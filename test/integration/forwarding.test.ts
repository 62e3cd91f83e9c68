// The data path through real sockets: a client that writes raw bytes, a worker, and an origin that answers raw bytes.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { clusterStats } from '../../proxy/telemetry/cluster-stats.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  listenerOf,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';

/** An origin whose every connection is handed to `onConnection`. */
async function startOrigin(onConnection: (socket: Socket) => void): Promise<{ port: number; stop: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // A reset of the proxy's is part of what these tests bring about.
    socket.on('error', () => socket.destroy());
    sockets.add(socket);
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as { port: number }).port, stop };
}

/** Answers every request head with `reply`; remembers what it received. */
function replyingOrigin(reply: string, received: string[] = []): (socket: Socket) => void {
  return (socket) => {
    let pending = '';
    socket.on('data', (data) => {
      received.push(data.toString('latin1'));
      pending += data.toString('latin1');
      while (pending.includes('\r\n\r\n')) {
        pending = pending.slice(pending.indexOf('\r\n\r\n') + 4);
        socket.write(reply, 'latin1');
      }
    });
  };
}

/** Sends bytes and collects what comes until `isComplete`, or the end. */
async function exchange(port: number, bytes: string, isComplete: (text: string) => boolean): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.write(bytes, 'latin1');
  let text = '';
  for await (const data of socket) {
    text += (data as Buffer).toString('latin1');
    if (isComplete(text)) break;
  }
  socket.destroy();
  return text;
}

const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Case: Kept\r\n\r\nhello';

function forwardingListener(cluster = 'app') {
  return httpListener('http', managerOf([virtualHostOf([routeOf('/', forwardTo(cluster))])]));
}

/** One listener in front of `origin`; both end with the test. */
async function startForwarding(t: Test, origin: { readonly port: number; readonly stop: () => void }) {
  const plane = await startDataPlane({
    listeners: [forwardingListener()],
    clusters: [clusterOf('app', [origin.port])],
  });
  t.teardown(() => {
    origin.stop();
    return plane.stop();
  });
  return plane;
}

t.test('forwards a request and its response, names in the case they came in', async (t) => {
  const received: string[] = [];
  const origin = await startOrigin(replyingOrigin(hello, received));
  const plane = await startForwarding(t, origin);
  const text = await exchange(plane.ports.get('http')!, 'GET /x HTTP/1.1\r\nHost: a\r\nX-Mixed: Yes\r\n\r\n', (all) =>
    all.endsWith('hello'),
  );
  t.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(text, /\r\nX-Case: Kept\r\n/);
  t.match(text, /\r\nserver: envoy\r\n/);
  t.match(received[0], /^GET \/x HTTP\/1\.1\r\nhost: a\r\n/i);
  t.match(received[0], /\r\nX-Mixed: Yes\r\n/);
  t.match(received[0], /\r\nx-forwarded-proto: http\r\n/);
  t.match(received[0], /\r\nx-request-id: [0-9a-f-]{36}\r\n/);
});

t.test('answers pipelined requests in order over one upstream connection', async (t) => {
  const origin = await startOrigin(replyingOrigin(hello));
  const plane = await startForwarding(t, origin);
  const text = await exchange(plane.ports.get('http')!, get.repeat(5), (all) => all.split('hello').length === 6);
  t.equal(text.split('HTTP/1.1 200 OK').length - 1, 5);
  t.equal(plane.stats.get(clusterStats, 'app')?.value(clusterStats.upstreamCxTotal), 1);
});

t.test('forwards a chunked body that arrives byte by byte', async (t) => {
  const received: string[] = [];
  const origin = await startOrigin((socket) => {
    let all = '';
    socket.on('data', (data) => {
      all += data.toString('latin1');
      // The last chunk; a head may end with a value of 15000. undici says the length of what it has whole.
      if (!/\r\n0\r\n\r\n$|\r\n\r\nabcde$/.test(all)) return;
      received.push(all);
      socket.write(hello);
    });
  });
  const plane = await startForwarding(t, origin);
  const socket = connect(plane.ports.get('http')!, '127.0.0.1');
  socket.setNoDelay(true);
  await once(socket, 'connect');
  for (const byte of 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n') {
    await new Promise<void>((resolve) => socket.write(byte, 'latin1', () => resolve()));
  }
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.match(answer.toString('latin1'), /^HTTP\/1\.1 200 OK/);
  const body = received[0]!.slice(received[0]!.indexOf('\r\n\r\n') + 4);
  t.equal(body.replaceAll(/[0-9a-f]+\r\n([a-e]*)\r\n/g, '$1').replaceAll('\r\n', ''), 'abcde');
  socket.destroy();
});

t.test('replays a request once when a reused connection dies before the response', async (t) => {
  let connections = 0;
  const origin = await startOrigin((socket) => {
    const isFirst = connections++ === 0;
    let requests = 0;
    socket.on('data', () => {
      if (isFirst && ++requests === 2) socket.resetAndDestroy();
      else socket.write(hello);
    });
  });
  const plane = await startForwarding(t, origin);
  const text = await exchange(plane.ports.get('http')!, get.repeat(2), (all) => all.split('hello').length === 3);
  t.equal(text.split('HTTP/1.1 200 OK').length - 1, 2, 'the client sees no error');
  t.equal(connections, 2);
});

t.test('says why when the endpoint refuses the connection', async (t) => {
  const origin = await startOrigin(() => undefined);
  const { port } = origin;
  origin.stop();
  const plane = await startDataPlane({ listeners: [forwardingListener()], clusters: [clusterOf('app', [port])] });
  t.teardown(() => plane.stop());
  const text = await exchange(plane.ports.get('http')!, get, (all) => all.includes('refused'));
  t.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
  t.match(text, new RegExp(`app at 127\\.0\\.0\\.1:${port}: .*refused`));
});

t.test('refuses a smuggled request and forwards nothing of it', async (t) => {
  const received: string[] = [];
  const origin = await startOrigin(replyingOrigin(hello, received));
  const plane = await startForwarding(t, origin);
  const bytes = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG';
  const text = await exchange(plane.ports.get('http')!, bytes, () => false);
  t.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
  t.match(text, /\r\nconnection: close\r\n/i);
  t.same(received, []);
});

t.test('a response cut by the endpoint is cut for the client too', async (t) => {
  const origin = await startOrigin((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart'));
  });
  const plane = await startForwarding(t, origin);
  await t.rejects(
    exchange(plane.ports.get('http')!, get, () => false),
    { code: 'ECONNRESET' },
  );
});

t.test('a response head may be as long as max_response_headers_kb says, and is refused above it', async (t) => {
  const fieldBytes = 150 * 1024;
  const origin = await startOrigin(
    replyingOrigin(`HTTP/1.1 200 OK\r\nX-Long: ${'a'.repeat(fieldBytes)}\r\nContent-Length: 2\r\n\r\nok`),
  );
  t.teardown(origin.stop);
  for (const [maxResponseHeadersKb, expected] of [
    [192, /^HTTP\/1\.1 200 OK\r\n.*X-Long: a\{153600\}\r\n.*\r\n\r\nok$/s],
    [128, /^HTTP\/1\.1 502 /],
    [64, /^HTTP\/1\.1 502 /],
  ] as const) {
    const { upstreamHttp } = clusterOf('app', []);
    const plane = await startDataPlane({
      listeners: [
        httpListener('http', managerOf([virtualHostOf([routeOf('/', forwardTo('app', { timeoutMs: 5000 }))])])),
      ],
      clusters: [clusterOf('app', [origin.port], { upstreamHttp: { ...upstreamHttp, maxResponseHeadersKb } })],
    });
    t.teardown(() => plane.stop());
    const client = connect(plane.ports.get('http')!, '127.0.0.1');
    client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    let text = '';
    client.on('data', (data) => {
      text += data.toString('latin1');
    });
    await once(client, 'end');
    t.match(
      text.replace(/(?<=X-Long: )a+/, ({ length }) => `a{${length}}`),
      expected,
      `${maxResponseHeadersKb} KiB`,
    );
  }
});

t.test('proxies TCP and passes half closes on', async (t) => {
  const origin = await startOrigin((socket) => {
    let all = '';
    socket.on('data', (data) => (all += data.toString('latin1')));
    socket.on('end', () => socket.end(`got ${all}`));
  });
  const config = {
    statPrefix: 'tcp',
    clusters: [{ name: 'app', weight: 1 }],
    totalWeight: 1,
    idleTimeoutMs: 3_600_000,
    maxDownstreamConnectionDurationMs: 0,
    maxConnectAttempts: 1,
    accessLogs: [],
    flushAccessLogOnConnected: false,
    accessLogFlushIntervalMs: 0,
  };
  const listener = listenerOf('tcp', { kind: 'tcp-proxy', name: 'envoy.filters.network.tcp_proxy', config });
  const plane = await startDataPlane({ listeners: [listener], clusters: [clusterOf('app', [origin.port])] });
  t.teardown(() => {
    origin.stop();
    return plane.stop();
  });
  const socket = connect({ port: plane.ports.get('tcp')!, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  socket.end('hello');
  let text = '';
  for await (const data of socket) text += (data as Buffer).toString('latin1');
  t.equal(text, 'got hello');
});

t.test('a response that ends with its connection is chunked for the client, whole', async (t) => {
  const origin = await startOrigin((socket) => {
    socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end'));
  });
  const plane = await startForwarding(t, origin);
  const text = await exchange(plane.ports.get('http')!, get, (all) => all.endsWith('0\r\n\r\n'));
  t.match(text, /\r\ntransfer-encoding: chunked\r\n/i);
  t.ok(text.endsWith('\r\nd\r\nuntil the end\r\n0\r\n\r\n'), text);
});
