import { once } from 'node:events';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import type { Address } from '../../../config/address.ts';
import { ListenerRuntime } from '../../../proxy/listener/listener-runtime.ts';
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

t.test('a listener that looks at original destinations hands nothing over unless it says so', async (t) => {
  const { context, listen } = makeListenerBench(t);
  const target = listen(answering('target', 'target', { bindToPort: false }));
  context.originalDestination = () => original;
  context.findListener = () => target.listener;
  const { port } = listen(answering('http', 'kept', { listenerFilters: [{ kind: 'original-dst' }] }));
  t.equal(await ask(await open(t, port)), 'kept');
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

t.test('a successor accepts from the same sockets, and those that wait in the backlog come to it', async (t) => {
  const { listen, context } = makeListenerBench(t);
  const { listener, port } = listen(answering('http', 'before'));
  const early = await open(t, port);
  t.equal(await ask(early), 'before');
  listener.pause();
  const waiting = await open(t, port);
  const answer = ask(waiting);
  const next = new ListenerRuntime(answering('http', 'after', { backlog: 7 }), { descriptors: [] }, context);
  t.teardown(() => next.stopAccepting());
  next.takeSockets(listener);
  next.resume();
  t.equal(await answer, 'after');
  listener.stopAccepting();
  t.equal(await ask(await open(t, port)), 'after');
  t.equal(await ask(early), 'before', 'until it is drained');
});

t.test('filter chains that stay keep their connections, the others are handed out for a drain', async (t) => {
  const { listen, context } = makeListenerBench(t);
  context.originalDestination = () => undefined;
  const chainOf = (name: string, body: string, destinationPort?: number) => {
    const [chain] = answering('http', body).filterChains;
    return { ...chain!, name, match: { ...chain!.match, ...(destinationPort !== undefined && { destinationPort }) } };
  };
  const config = answering('http', 'x', { filterChains: [chainOf('all', 'one')] });
  const { listener, port } = listen(config);
  const early = await open(t, port);
  t.equal(await ask(early), 'one');
  const kept = { ...config, filterChains: [chainOf('special', 'two', port), chainOf('all', 'one')] };
  t.same(listener.updateFilterChains(kept, [{ index: 1, earlierIndex: 0 }]), []);
  const late = await open(t, port);
  t.same([await ask(early), await ask(late)], ['one', 'two']);
  const changed = { ...config, filterChains: [chainOf('special', 'three', port), chainOf('all', 'one')] };
  const retired = listener.updateFilterChains(changed, [{ index: 1, earlierIndex: 1 }]);
  t.same(
    retired.map(({ openConnections }) => openConnections),
    [1],
  );
  t.equal(await ask(await open(t, port)), 'three');
  for (const chain of retired) chain.drain();
  await late.ended();
  late.close();
  while (retired[0]!.openConnections > 0) await new Promise((resolve) => setImmediate(resolve));
  t.equal(await ask(early), 'one');
});

t.test('at the end of a drain requests under way are cut with a reset', async (t) => {
  const { listen } = makeListenerBench(t);
  const { listener, port } = listen(answering('http', 'x'));
  const client = await open(t, port);
  await client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n');
  while (listener.openConnections === 0) await new Promise((resolve) => setImmediate(resolve));
  listener.closeConnections();
  await client.ended();
  t.equal(client.outcome, 'ECONNRESET');
});
