// What an access log says of a request, through real sockets: the operators of the format that Istio writes by default,
// for a request that is forwarded and for one whose endpoint cannot be reached.

import { createServer } from 'node:http';
import t from 'tap';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { threadNowMs } from '../support/thread-time.ts';

const format =
  '%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% ' +
  '%UPSTREAM_TRANSPORT_FAILURE_REASON% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_HOST% %UPSTREAM_CLUSTER_RAW% ' +
  '%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME% %RESPONSE_HEADERS_BYTES%\n';

async function listen(server: ReturnType<typeof createServer>): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
}

t.test('a line names both ends of the upstream connection, and the endpoint that was not reached', async (t) => {
  const origin = createServer((request, response) => {
    request.resume();
    response.end('hello');
  });
  const port = await listen(origin);
  const closing = createServer();
  const closed = await listen(closing);
  await new Promise((resolve) => closing.close(resolve));
  const routes = [
    routeOf('/dead', forwardTo('dead'), { name: 'to-dead' }),
    routeOf('/', forwardTo('app'), { name: 'to-app' }),
  ];
  const plane = await startDataPlane({
    listeners: [
      httpListener(
        'http',
        managerOf([virtualHostOf(routes)], {
          accessLogs: [{ sink: { kind: 'stdout' }, format: { kind: 'text', format, omitEmptyValues: false } }],
        }),
      ),
    ],
    clusters: [clusterOf('app', [port]), clusterOf('dead', [closed])],
  });
  t.teardown(() => {
    origin.closeAllConnections();
    origin.close();
    return plane.stop();
  });
  const at = `http://127.0.0.1:${plane.ports.get('http')}`;
  const headerBytes: number[] = [];
  for (const [path, init] of [
    ['/a', { method: 'POST', body: 'abc' }],
    ['/dead', {}],
  ] as const) {
    const response = await fetch(at + path, init);
    await response.text();
    headerBytes.push([...response.headers].reduce((sum, [name, value]) => sum + name.length + value.length, 0));
  }
  const lines = await plane.logged(2);
  const local = `127.0.0.1:${plane.ports.get('http')}`;
  t.match(
    lines[0],
    new RegExp(
      `^POST /a HTTP/1\\.1 200 - via_upstream - 3 5 127\\.0\\.0\\.1:${port} app 127\\.0\\.0\\.1:\\d+ ${local} - to-app \\d+$`,
    ),
  );
  t.match(
    lines[1],
    new RegExp(
      `^GET /dead HTTP/1\\.1 503 UF upstream_reset_before_response_started\\{remote_connection_failure\\|delayed_connect_error:_Connection_refused\\} delayed_connect_error:_Connection_refused 0 \\d+ 127\\.0\\.0\\.1:${closed} dead - ${local} - to-dead \\d+$`,
    ),
  );
  const logged = lines.map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  // As in Envoy: names and values, those of the pseudo header, too.
  t.equal(logged[0], headerBytes[0]! + ':status200'.length);
});

t.test('bytes of exchanges and of their heads are logged, on a connection that carries several', async (t) => {
  const exchanges: string[] = [];
  const seen = { sent: 0, received: 0 };
  const origin = createServer((request, response) => {
    request.resume();
    const bodyBytes = Number(request.headers['content-length']);
    response.end('hello', () => {
      const { bytesRead, bytesWritten } = request.socket;
      const [received, sent] = [bytesRead - seen.received, bytesWritten - seen.sent];
      exchanges.push(`${received} ${sent} ${received - bodyBytes} ${sent - 'hello'.length}`);
      seen.received = bytesRead;
      seen.sent = bytesWritten;
    });
  });
  const wireFormat =
    '%UPSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_RECEIVED% ' +
    '%UPSTREAM_HEADER_BYTES_SENT% %UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED%\n';
  const port = await listen(origin);
  const plane = await startDataPlane({
    listeners: [
      httpListener(
        'http',
        managerOf([virtualHostOf([routeOf('/', forwardTo('app'))])], {
          accessLogs: [
            { sink: { kind: 'stdout' }, format: { kind: 'text', format: wireFormat, omitEmptyValues: false } },
          ],
        }),
      ),
    ],
    clusters: [clusterOf('app', [port])],
  });
  t.teardown(() => {
    origin.closeAllConnections();
    origin.close();
    return plane.stop();
  });
  for (const body of ['abc', 'a longer body']) {
    await (await fetch(`http://127.0.0.1:${plane.ports.get('http')}/`, { method: 'POST', body })).text();
  }
  const lines = await plane.logged(2);
  t.equal(exchanges.length, 2);
  t.same(
    lines.map((line) => line.trim()),
    exchanges,
  );
});

t.test('lines that the interval has flushed are not waited for any more', async (t) => {
  let skippedMs = 0;
  const plane = await startDataPlane({
    listeners: [
      httpListener(
        'http',
        managerOf([virtualHostOf([routeOf('/', forwardTo('nobody'))])], {
          accessLogs: [
            { sink: { kind: 'stdout' }, format: { kind: 'text', format: '%RESPONSE_CODE%\n', omitEmptyValues: false } },
          ],
        }),
      ),
    ],
    clusters: [clusterOf('nobody', [])],
    clock: () => threadNowMs() + skippedMs,
  });
  t.teardown(() => plane.stop());
  await (await fetch(`http://127.0.0.1:${plane.ports.get('http')}/`)).text();
  skippedMs = 5000;
  // Timers come behind the message of a turn, so that the first of these may be answered before the flush.
  for (let turn = 0; turn < 2; turn++) await plane.update({});
  t.same(await plane.logged(1), ['503']);
});
