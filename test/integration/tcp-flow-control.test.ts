// A side of a TCP connection that reads nothing stops the other at the buffer limit of the listener or of the cluster.

import t from 'tap';
import { RawOrigin } from '../support/raw-origin.ts';
import { clusterAt, startTcpPlane, until } from '../support/tcp-proxy-fixtures.ts';

t.setTimeout(900_000);

/** More than the kernel takes for both sockets of a connection on loopback. */
const FLOOD = 64 * 1024 * 1024;

t.test('an endpoint that reads nothing stops the client', async (t) => {
  const origin = await RawOrigin.start(t, ({ socket }) => void socket.pause());
  for (const perConnectionBufferLimitBytes of [65_536, 1_048_576]) {
    const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port, { perConnectionBufferLimitBytes })]);
    const client = await proxy.connect();
    client.socket.on('error', () => undefined);
    client.socket.write(Buffer.alloc(FLOOD));
    const isStopped = () => proxy.tcp('downstreamFlowControlPausedReadingTotal') > 0;
    await until(() => isStopped() || proxy.tcp('downstreamCxRxBytesTotal') === FLOOD);
    t.ok(isStopped());
    t.ok(proxy.tcp('downstreamCxRxBytesTotal') < FLOOD / 2, String(proxy.tcp('downstreamCxRxBytesTotal')));
    client.socket.destroy();
  }
});

t.test('a client that reads nothing stops the endpoint', async (t) => {
  const origin = await RawOrigin.start(t, ({ socket }) => {
    socket.on('error', () => undefined);
    socket.write(Buffer.alloc(FLOOD));
  });
  for (const perConnectionBufferLimitBytes of [65_536, 1_048_576]) {
    const proxy = await startTcpPlane(t, {}, [clusterAt(origin.port)], { perConnectionBufferLimitBytes });
    const client = await proxy.connect();
    client.socket.pause();
    const isStopped = () => proxy.cluster('app', 'upstreamFlowControlPausedReadingTotal') > 0;
    await until(() => isStopped() || proxy.tcp('downstreamCxTxBytesTotal') === FLOOD);
    t.ok(isStopped());
    t.ok(proxy.tcp('downstreamCxTxBytesTotal') < FLOOD / 2, String(proxy.tcp('downstreamCxTxBytesTotal')));
    client.socket.destroy();
  }
});
