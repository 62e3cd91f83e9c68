// tcp_proxy through real sockets: what a client and an endpoint see, what is counted and logged. Flags, counters and the
// kind of each end (FIN or RST) are what Envoy 1.40 gives for the same.

import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { clusterOf } from '../support/data-plane.ts';
import { type OriginConnection, RawOrigin } from '../support/raw-origin.ts';
import { clusterAt, startTcpPlane, until } from '../support/tcp-proxy-fixtures.ts';

const echo = (connection: OriginConnection): void => {
  connection.onText = (added) => connection.write(added);
};

t.test('bytes pass both ways and are counted and logged once', async (t) => {
  const origin = await RawOrigin.start(t, echo);
  const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port)]);
  const client = await proxy.connect();
  client.socket.write('ping');
  t.equal(await client.received(4), 'ping');
  client.socket.end('pong!');
  t.equal(await client.ended, 'end');
  t.equal(client.text, 'pingpong!');
  await origin.allClosed();
  t.same(await proxy.lines(1), ['- 9 9 app 1']);
  t.same(
    [proxy.tcp('downstreamCxTotal'), proxy.tcp('downstreamCxRxBytesTotal'), proxy.tcp('downstreamCxTxBytesTotal')],
    [1, 9, 9],
  );
  t.same([proxy.cluster('app', 'upstreamCxTxBytesTotal'), proxy.cluster('app', 'upstreamCxRxBytesTotal')], [9, 9]);
  t.same([proxy.cluster('app', 'upstreamCxTotal'), proxy.cluster('app', 'upstreamCxActive')], [1, 0]);
  t.same([proxy.cluster('app', 'upstreamCxDestroy'), proxy.cluster('app', 'upstreamCxDestroyWithActiveRq')], [1, 1]);
});

t.test('a cluster is logged by the name of its statistics, its alt_stat_name', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => connection.socket.end('hello'));
  const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port, { statName: 'app_of_a' })]);
  const client = await proxy.connect();
  client.socket.end();
  t.equal(await client.ended, 'end');
  t.same(await proxy.lines(1), ['- 0 5 app_of_a 1']);
});

t.test('the endpoint may end first and still receive', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => connection.socket.end('hello'));
  const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port)]);
  const client = await proxy.connect();
  t.equal(await client.ended, 'end');
  t.equal(client.text, 'hello');
  client.socket.end('late');
  await origin.until(({ text }) => text === 'late');
  await origin.allClosed();
  t.same(await proxy.lines(1), ['- 4 5 app 1']);
});

t.test('bulk passes both ways at once, whole, to slow readers too', async (t) => {
  const size = 24 * 1024 * 1024;
  const down = Buffer.alloc(size, 'down-0123456789');
  const up = Buffer.alloc(size, 'up-abcdef');
  const received: Buffer[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (data) => received.push(data));
    socket.end(down);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const proxy = await startTcpPlane(t, {}, [clusterAt((server.address() as { port: number }).port)]);
  const client = await proxy.connect();
  client.socket.pause();
  client.socket.end(up);
  await until(() => proxy.tcp('downstreamCxRxBytesTotal') === size);
  client.socket.resume();
  t.equal(await client.ended, 'end');
  t.ok(client.text === down.toString('latin1'), 'what came down');
  await until(() => proxy.cluster('app', 'upstreamCxActive') === 0);
  t.ok(Buffer.concat(received).equals(up), 'what went up');
  t.same(await proxy.lines(1), [`- ${size} ${size} app 1`]);
  t.ok(proxy.cluster('app', 'upstreamFlowControlPausedReadingTotal') > 0);
});

t.test('what an endpoint has not taken goes to it after the client is gone', async (t) => {
  const origin = await RawOrigin.start(t, ({ socket }) => {
    socket.pause();
    socket.end();
  });
  const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port)]);
  const client = await proxy.connect();
  t.equal(await client.ended, 'end');
  client.socket.end(Buffer.alloc(1024 * 1024, 'x'));
  client.socket.resume();
  await once(client.socket, 'close');
  origin.connections[0]!.socket.resume();
  await origin.until(({ text }) => text.length === 1024 * 1024);
  await origin.allClosed();
  await until(() => proxy.cluster('app', 'upstreamCxActive') === 0);
  t.equal(proxy.tcp('upstreamFlushActive'), 0);
});

t.test('a reset of one side is a reset of the other', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = (text) => (text === 'die' ? connection.socket.resetAndDestroy() : connection.write('ok'));
  });
  const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port)]);
  const first = await proxy.connect();
  first.socket.write('die');
  t.equal(await first.ended, 'reset');
  const second = await proxy.connect();
  second.socket.write('live');
  await second.received(2);
  second.socket.resetAndDestroy();
  await origin.allClosed();
  await until(() => proxy.cluster('app', 'upstreamCxActive') === 0);
  t.same(await proxy.lines(2), ['UR 3 0 app 1', '- 4 2 app 1']);
  t.same([proxy.cluster('app', 'upstreamCxDestroyRemote'), proxy.cluster('app', 'upstreamCxDestroyLocal')], [1, 1]);
});

t.test('a connection that cannot be forwarded is closed, with the flag of the reason', async (t) => {
  const unlimited = clusterOf('none', []).circuitBreakers.default;
  const noConnections = { ...unlimited, maxConnections: 0 };
  const refusing = await freePorts(1);
  const cases = [
    { cluster: clusterOf('none', []), line: 'UH 0 0 none 0', stat: 'upstreamCxNoneHealthy' },
    { cluster: clusterOf('refused', refusing), line: 'UF,URX 0 0 refused 1', stat: 'upstreamCxConnectFail' },
    {
      cluster: clusterOf('full', refusing, { circuitBreakers: { default: noConnections, high: noConnections } }),
      line: 'UO 0 0 full 0',
      stat: 'upstreamCxOverflow',
    },
  ] as const;
  for (const { cluster, line, stat } of cases) {
    const proxy = await startTcpPlane(t, { clusters: [{ name: cluster.name, weight: 1 }] }, [cluster]);
    const client = await proxy.connect();
    await client.ended;
    t.same(await proxy.lines(1), [line]);
    t.equal(proxy.cluster(cluster.name, stat), 1, stat);
  }
  const proxy = await startTcpPlane(t, { clusters: [{ name: 'missing', weight: 1 }] }, []);
  await (await proxy.connect()).ended;
  t.same(await proxy.lines(1), ['NC 0 0 - 0']);
  t.equal(proxy.tcp('downstreamCxNoRoute'), 1);
});

t.test('max_connect_attempts are made, each at the next endpoint', async (t) => {
  const origin = await RawOrigin.start(t, echo);
  const cluster = clusterOf('app', [...(await freePorts(2)), origin.port]);
  const proxy = await startTcpPlane(t, { maxConnectAttempts: 3 }, [cluster]);
  for (let index = 0; index < 3; index++) {
    const client = await proxy.connect();
    client.socket.end('x');
    t.equal(await client.ended, 'end');
    t.equal(client.text, 'x');
  }
  await origin.allClosed();
  const failures = proxy.cluster('app', 'upstreamCxConnectFail');
  t.ok(failures > 0, `${failures} attempts failed, and no client noticed`);
  t.equal(proxy.cluster('app', 'upstreamCxConnectAttemptsExceeded'), 0);
  const hopeless = await startTcpPlane(
    t,
    { maxConnectAttempts: 3 },
    (await freePorts(1)).map((port) => clusterAt(port)),
  );
  await (await hopeless.connect()).ended;
  t.same(await hopeless.lines(1), ['UF,URX 0 0 app 3']);
  t.equal(hopeless.cluster('app', 'upstreamCxConnectFail'), 3);
  t.equal(hopeless.cluster('app', 'upstreamCxConnectAttemptsExceeded'), 1);
});

t.test('a connection without a byte for idle_timeout ends, one with bytes does not', async (t) => {
  const origin = await RawOrigin.start(t, echo);
  const proxy = await startTcpPlane(t, { idleTimeoutMs: 250 }, [clusterAt(origin.port)]);
  const [busy, idle] = [await proxy.connect(), await proxy.connect()];
  let isIdleOver = false;
  void idle.ended.then(() => {
    isIdleOver = true;
  });
  for (let sent = 1; !isIdleOver; sent++) {
    busy.socket.write('.');
    await Promise.race([busy.received(sent), busy.ended]);
  }
  t.notOk(busy.socket.readableEnded);
  t.equal(await busy.ended, 'end');
  await origin.allClosed();
  t.equal(proxy.tcp('idleTimeout'), 2);
  t.equal((await proxy.lines(2))[0], '- 0 0 app 1');
});

t.test('a connection ends at max_downstream_connection_duration', async (t) => {
  const origin = await RawOrigin.start(t, echo);
  const proxy = await startTcpPlane(t, { maxDownstreamConnectionDurationMs: 30 }, [clusterAt(origin.port)]);
  const client = await proxy.connect();
  client.socket.write('x');
  t.equal(await client.ended, 'end');
  t.equal(client.text, 'x');
  await origin.allClosed();
  t.same(await proxy.lines(1), ['DT 1 1 app 1']);
  t.equal(proxy.tcp('maxDownstreamConnectionDuration'), 1);
});

t.test('connections are dealt out by weight', async (t) => {
  const [one, other] = [await RawOrigin.start(t, echo), await RawOrigin.start(t, echo)];
  const clusters = [
    { name: 'one', weight: 0 },
    { name: 'other', weight: 5 },
  ];
  const proxy = await startTcpPlane(t, { clusters, totalWeight: 5 }, [
    clusterOf('one', [one.port]),
    clusterOf('other', [other.port]),
  ]);
  for (let index = 0; index < 10; index++) {
    const client = await proxy.connect();
    client.socket.end('x');
    await client.ended;
  }
  t.same([one.connections.length, other.connections.length], [0, 10]);
});

t.test('a log line when it connects, and at every interval, when asked for', async (t) => {
  const origin = await RawOrigin.start(t, echo);
  const config = { flushAccessLogOnConnected: true, accessLogFlushIntervalMs: 20 };
  const proxy = await startTcpPlane(t, config, [clusterAt(origin.port)]);
  const client = await proxy.connect();
  client.socket.write('x');
  await client.received(1);
  t.match((await proxy.lines(3))[0], /^- 0 0 app 1$|^- 1 /);
  client.socket.end();
  await client.ended;
});
