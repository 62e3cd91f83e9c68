// The idle timeout of a TCP connection: bytes of either side keep it alive.

import t from 'tap';
import { RawOrigin } from '../support/raw-origin.ts';
import { clusterAt, startTcpPlane } from '../support/tcp-proxy-fixtures.ts';

t.setTimeout(900_000);

t.test('bytes of one side alone keep a connection from being idle', async (t) => {
  const silent = await RawOrigin.start(t, () => undefined);
  const talking = await RawOrigin.start(t, ({ socket }) => {
    const talk = () => socket.write('.', () => !socket.destroyed && setImmediate(talk));
    socket.on('error', () => undefined);
    talk();
  });
  const clusters = [clusterAt(silent.port, { name: 'silent' }), clusterAt(talking.port, { name: 'talking' })];
  for (const { name } of clusters) {
    const config = { idleTimeoutMs: 250, clusters: [{ name, weight: 1 }] };
    const proxy = await startTcpPlane(t, config, clusters);
    const busy = await proxy.connect();
    busy.socket.on('error', () => undefined);
    const talk = () => busy.socket.write('.', () => !busy.socket.destroyed && setImmediate(talk));
    if (name === 'silent') talk();
    // Two connections without a byte, one after the other: the busy one is older than the idle timeout when they are gone.
    const idle = await startTcpPlane(t, { ...config, clusters: [{ name: 'silent', weight: 1 }] }, clusters);
    for (let round = 0; round < 2; round++) await (await idle.connect()).ended;
    t.same([idle.tcp('idleTimeout'), proxy.tcp('idleTimeout')], [2, 0], name);
    t.equal(proxy.cluster(name, 'upstreamCxActive'), 1, name);
    busy.socket.destroy();
  }
});
