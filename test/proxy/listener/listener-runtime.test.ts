import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { Address } from '../../../config/address.ts';
import { LimitedConnections, makeSharedLimit } from '../../../proxy/listener/shared-limit.ts';
import { listenerStats, listenerWorkerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { answering, makeListenerBench } from '../../support/listener-fixtures.ts';
import { RawClient } from '../../support/raw-client.ts';

async function open(t: Test, port: number): Promise<RawClient> {
  const client = await RawClient.open(port);
  t.teardown(() => client.close());
  return client;
}

async function ask(client: RawClient): Promise<string> {
  client.text = '';
  await client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await client.until((text) => /\r\n\r\n\w+$/.test(text));
  return client.text.slice(client.text.lastIndexOf('\n') + 1);
}

/** A connection that is closed without a word. */
async function isRejected(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  let received = 0;
  socket.on('data', (data) => {
    received += data.length;
  });
  socket.on('error', () => undefined);
  await once(socket, 'close');
  return received === 0;
}

const original: Address = { kind: 'ip', ip: '10.1.2.3', port: 80 };

t.test('a connection is counted for the listener and for the worker until its end', async (t) => {
  const { context, store, listen } = makeListenerBench(t);
  const idle = Promise.withResolvers<void>();
  context.onIdle = idle.resolve;
  const { listener, port } = listen(answering('http', 'hello', { statPrefix: 'in' }));
  const client = await open(t, port);
  t.equal(await ask(client), 'hello');
  const stats = store.get(listenerStats, 'in')!;
  const ofWorker = store.get(listenerWorkerStats, 'in', '3')!;
  t.equal(listener.openConnections, 1);
  t.equal(stats.value(listenerStats.downstreamCxActive), 1);
  t.equal(ofWorker.value(listenerWorkerStats.downstreamCxActive), 1);
  client.close();
  await idle.promise;
  t.equal(listener.openConnections, 0);
  t.equal(stats.value(listenerStats.downstreamCxTotal), 1);
  t.equal(stats.value(listenerStats.downstreamCxActive), 0);
  t.equal(stats.value(listenerStats.downstreamCxDestroy), 1);
  t.equal(ofWorker.value(listenerWorkerStats.downstreamCxActive), 0);
});

t.test('without a prefix of its own the address names the stats', (t) => {
  const { store, listen } = makeListenerBench(t);
  listen(answering('http', 'x', { statPrefix: '', address: { kind: 'ip', ip: '::1', port: 0 } }));
  t.ok(store.get(listenerStats, '[__1]_0'));
  t.end();
});

t.test('a redirected connection goes to the listener of its destination, with all that this one says', async (t) => {
  const { context, store, listen, lines, flushLogs } = makeListenerBench(t);
  const format = { kind: 'text', format: '%DOWNSTREAM_LOCAL_ADDRESS%\n', omitEmptyValues: false } as const;
  const target = listen(
    answering('target', 'target', { bindToPort: false, accessLogs: [{ sink: { kind: 'stdout' }, format }] }),
  );
  context.originalDestination = () => original;
  context.findListener = (address) => (address === original ? target.listener : null);
  const idle = Promise.withResolvers<void>();
  context.onIdle = idle.resolve;
  const { listener, port } = listen(answering('catch-all', 'catch-all', { useOriginalDst: true }));
  const client = await open(t, port);
  t.equal(await ask(client), 'target');
  t.equal(listener.openConnections, 0);
  t.equal(target.listener.openConnections, 1);
  t.equal(store.get(listenerStats, 'catch-all')!.value(listenerStats.downstreamCxTotal), 0);
  client.close();
  await idle.promise;
  flushLogs();
  t.same(lines, ['10.1.2.3:80']);
});

t.test('a redirected connection to nowhere in particular stays', async (t) => {
  const { context, listen } = makeListenerBench(t);
  context.originalDestination = () => original;
  const { port } = listen(answering('catch-all', 'caught', { useOriginalDst: true }));
  t.equal(await ask(await open(t, port)), 'caught');
});

t.test('the original destination chooses the filter chain', async (t) => {
  const { context, listen } = makeListenerBench(t);
  const [chain] = answering('x', 'redirected').filterChains;
  const match = { ...chain!.match, destinationPort: 80 };
  const listener = answering('http', 'direct', { listenerFilters: [{ kind: 'original-dst' }] });
  const filterChains = [...listener.filterChains, { ...chain!, match }];
  const { port } = listen({ ...listener, filterChains });
  t.equal(await ask(await open(t, port)), 'direct');
  context.originalDestination = () => original;
  t.equal(await ask(await open(t, port)), 'redirected');
});

t.test('limits reject, say which one it was, and give back what they took', async (t) => {
  const { context, store, listen } = makeListenerBench(t);
  const global = makeSharedLimit(1);
  const own = makeSharedLimit(1);
  context.globalLimit = new LimitedConnections(global);
  const one = listen(answering('one', 'x'));
  const other = listen(answering('other', 'x'), { limit: own });
  const free = listen(answering('free', 'x', { ignoreGlobalConnectionLimit: true }), { limit: own });
  const first = await open(t, one.port);
  await ask(first);
  t.ok(await isRejected(other.port));
  t.equal(store.get(listenerStats, 'other')!.value(listenerStats.downstreamGlobalCxOverflow), 1);
  const second = await open(t, free.port);
  t.equal(await ask(second), 'x');
  t.ok(await isRejected(free.port));
  t.equal(store.get(listenerStats, 'free')!.value(listenerStats.downstreamCxOverflow), 1);
  const idle = Promise.withResolvers<void>();
  context.onIdle = idle.resolve;
  t.same([new Int32Array(global.memory)[0], new Int32Array(own.memory)[0]], [1, 1]);
  first.close();
  second.close();
  while (one.listener.openConnections + free.listener.openConnections > 0) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.same([new Int32Array(global.memory)[0], new Int32Array(own.memory)[0]], [0, 0]);
});

t.test('failing health checks close after a response, unless the listener drains for changes only', async (t) => {
  const { listen } = makeListenerBench(t);
  const normal = listen(answering('normal', 'x'));
  const steady = listen(answering('steady', 'x', { drainType: 'modify-only' }));
  for (const { listener } of [normal, steady]) listener.setFailsHealthCheck(true);
  const leaving = await open(t, normal.port);
  await ask(leaving);
  t.match(leaving.text, /\r\nconnection: close\r\n/);
  const staying = await open(t, steady.port);
  await ask(staying);
  t.notMatch(staying.text, /connection: close/);
  normal.listener.setFailsHealthCheck(false);
  const back = await open(t, normal.port);
  await ask(back);
  t.notMatch(back.text, /connection: close/);
});

t.test('a drain in parts leaves those alone that were not drawn', async (t) => {
  const { listen } = makeListenerBench(t);
  const { listener, port } = listen(answering('http', 'x'));
  const client = await open(t, port);
  await ask(client);
  listener.drainSome(0.5);
  t.equal(await ask(client), 'x', 'the draw was 0.5');
  listener.drainSome(0.6);
  await client.ended();
  t.equal(client.outcome, 'end');
});

t.test('a released listener leaves no stats behind', async (t) => {
  const { listen, store } = makeListenerBench(t);
  const { listener, port } = listen(answering('http', 'x'));
  const client = await open(t, port);
  await ask(client);
  const named = () => store.groups().filter(({ names }) => names.length > 0);
  t.equal(named().length, 4, 'of the listener, its worker, its filter chain, and both');
  client.close();
  while (listener.openConnections > 0) await new Promise((resolve) => setImmediate(resolve));
  listener.stopAccepting();
  listener.release();
  t.same(named(), []);
});
