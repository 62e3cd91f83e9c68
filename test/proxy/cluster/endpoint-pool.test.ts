// The pool of one endpoint over real sockets: which connection a request gets, and when one is given up.

import t, { type Test } from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import { ConnectionNotes } from '../../../proxy/cluster/connection-notes.ts';
import { EndpointPool, type PoolWaiter } from '../../../proxy/cluster/endpoint-pool.ts';
import { Http1EndpointPools, maxVariantPools, poolOf } from '../../../proxy/cluster/endpoint-pools.ts';
import { Http1Connector } from '../../../proxy/cluster/http1-connector.ts';
import type { PooledConnection, UpstreamConnector } from '../../../proxy/cluster/pooled-connection.ts';
import type { UpstreamFailure } from '../../../proxy/cluster/upstream-failure.ts';
import type { ConnectionVariant } from '../../../proxy/cluster/upstream-transport.ts';
import type { Http1ClientConnection } from '../../../proxy/http/http1/client-connection.ts';
import { OutputBuffer } from '../../../proxy/http/http1/output-buffer.ts';
import { RequestHead } from '../../../proxy/http/message.ts';
import type { ResponseReceiver, UpstreamConnection } from '../../../proxy/http/upstream-connection.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import {
  makeAssignment,
  makeCluster,
  makeContext,
  makeEndpoint,
  makeLocality,
  makeStatsSource,
  noTls,
  seededRandom,
} from '../../support/cluster-fixtures.ts';
import { listenOn, type RecordingHandler, startReactor, turns } from '../../support/reactor-fixtures.ts';
import { threadNowMs } from '../../support/thread-time.ts';

t.test('a connection is made for a request, and carries the next one when it is idle', async (t) => {
  const { pool, acceptor, exchange, count } = await open(t);
  const first = await ask(pool);
  t.equal(first.notes.idleBeforeMs, -1, 'fresh');
  const endpoint = await acceptor.next();
  await exchange(first, endpoint);
  const second = await ask(pool);
  t.ok(second === first);
  t.ok(second.notes.idleBeforeMs >= 0, 'used');
  t.equal(count('upstreamCxTotal'), 1);
});

t.test('the connection that was used last is taken first', async (t) => {
  const { pool, acceptor, exchange } = await open(t);
  const [one, other] = await Promise.all([ask(pool), ask(pool)]);
  const [endpointOfOne, endpointOfOther] = [await acceptor.next(), await acceptor.next()];
  await exchange(other, endpointOfOther);
  await exchange(one, endpointOfOne);
  t.ok((await ask(pool)) === one);
  t.ok((await ask(pool)) === other);
});

t.test('a replay gets a fresh connection though one is idle', async (t) => {
  const { pool, acceptor, exchange } = await open(t);
  const first = await ask(pool);
  await exchange(first, await acceptor.next());
  t.ok((await ask(pool, { fresh: true })) !== first);
  t.equal(pool.connectionCount, 2);
});

t.test('a request that must not be repeated does not get a connection that its peer has closed', async (t) => {
  const { pool, acceptor, exchange } = await open(t);
  const first = await ask(pool);
  const endpoint = await acceptor.next();
  await exchange(first, endpoint);
  // The FIN is in the kernel, and no turn of the reactor has told of it.
  endpoint.stream.close();
  const second = await ask(pool, { mustNotRepeat: true });
  t.ok(second !== first);
  t.equal(second.notes.idleBeforeMs, -1);
});

t.test('the idle time after which an endpoint closes is learnt, and connections retire before it', async (t) => {
  const { pool, acceptor, exchange, clock, count } = await open(t);
  const first = await ask(pool);
  const endpoint = await acceptor.next();
  await exchange(first, endpoint);
  clock.offsetMs += 10_000;
  endpoint.stream.close();
  await endpoint.saw('closed');
  while (pool.connectionCount > 0) await turns(clock.reactor, 1);
  t.ok(pool.learntIdleMs >= 10_000 && pool.learntIdleMs < 11_000, `${pool.learntIdleMs} ms`);
  const second = await ask(pool);
  await exchange(second, await acceptor.next());
  clock.offsetMs += 9_000;
  await turns(clock.reactor, 1);
  t.ok((await ask(pool)) !== second, 'at nine tenths of that time');
  t.equal(count('upstreamCxIdleTimeout'), 1);
});

t.test('idle connections are closed at the idle timeout, the longest idle first', async (t) => {
  const { pool, acceptor, exchange, clock, count } = await open(t, { idleTimeoutMs: 5000 });
  const [one, other] = await Promise.all([ask(pool), ask(pool)]);
  const [endpointOfOne, endpointOfOther] = [await acceptor.next(), await acceptor.next()];
  await exchange(one, endpointOfOne);
  clock.offsetMs += 3000;
  await turns(clock.reactor, 1);
  await exchange(other, endpointOfOther);
  clock.offsetMs += 3000;
  await turns(clock.reactor, 1);
  pool.retireIdle();
  t.equal(count('upstreamCxIdleTimeout'), 1);
  await endpointOfOne.saw('end');
  t.notOk(endpointOfOther.events.includes('end'));
  t.ok((await ask(pool)) === other);
});

t.test('a connection is closed after max_requests_per_connection', async (t) => {
  const { pool, acceptor, exchange, count } = await open(t, { maxRequestsPerConnection: 2 });
  const first = await ask(pool);
  const endpoint = await acceptor.next();
  await exchange(first, endpoint);
  t.ok((await ask(pool)) === first);
  await exchange(first, endpoint);
  t.ok((await ask(pool)) !== first);
  t.equal(count('upstreamCxMaxRequests'), 1);
});

t.test('an endpoint that refuses fails every request that waits for it', async (t) => {
  const { pool, acceptor, cluster, count, pendingAtEndpoint } = await open(t);
  acceptor.socket.close();
  const asked = [ask(pool), ask(pool)];
  t.equal(pendingAtEndpoint(), 2);
  const outcomes = await Promise.allSettled(asked);
  t.equal(pendingAtEndpoint(), 0);
  t.same(
    outcomes.map((outcome) => outcome.status === 'rejected' && (outcome.reason as UpstreamFailure).kind),
    ['connect-failure', 'connect-failure'],
  );
  while (pool.connectionCount > 0) await turns(cluster.reactor, 1);
  t.same(
    [count('upstreamRqPendingActive'), count('upstreamCxActive'), cluster.runtime.breakers.default.isIdle],
    [0, 0, true],
  );
});

t.test('circuit breakers bound what waits, and always allow a pool its first connection', async (t) => {
  const { pool, acceptor, exchange, count } = await open(t, {}, { maxConnections: 0, maxPendingRequests: 1 });
  const waiting = ask(pool);
  const refusal = await ask(pool).then(undefined, (failure: UpstreamFailure) => failure.kind);
  t.equal(refusal, 'overflow');
  t.equal(count('upstreamRqPendingOverflow'), 1);
  const only = await waiting;
  const endpoint = await acceptor.next();
  const next = ask(pool);
  t.equal(pool.connectionCount, 1, 'no second one');
  await exchange(only, endpoint);
  t.ok((await next) === only, 'it waits for the first');
});

t.test('a request that went away takes no connection', async (t) => {
  const { pool, acceptor, cluster, count } = await open(t);
  const gone: PoolWaiter = {
    onConnectionReady: () => t.fail('it went away'),
    onConnectionFailed: () => t.fail('it went away'),
  };
  pool.acquire(gone, false, false);
  pool.cancel(gone);
  pool.cancel(gone);
  t.same([count('upstreamRqPendingTotal'), count('upstreamRqCancelled')], [1, 1]);
  t.equal(cluster.runtime.breakers.default.pendingRequests, 0);
  const connection = await ask(pool);
  t.ok(connection.isIdle);
  await acceptor.next();
});

t.test('a draining pool closes idle connections at once and busy ones after their exchange', async (t) => {
  const { pool, acceptor, exchange } = await open(t);
  const [busy, idle] = await Promise.all([ask(pool), ask(pool)]);
  const [endpointOfBusy, endpointOfIdle] = [await acceptor.next(), await acceptor.next()];
  await exchange(idle, endpointOfIdle);
  pool.drain();
  await endpointOfIdle.saw('end');
  t.notOk(endpointOfBusy.events.includes('end'));
  await exchange(busy, endpointOfBusy);
  await endpointOfBusy.saw('end');
});

t.test('each routing priority has a pool of its own, made once', async (t) => {
  const { context, cluster } = await open(t);
  const endpoint = cluster.runtime.chooseEndpoint(makeContext())!;
  const choice = { cluster: cluster.runtime, endpoint };
  const [normal, high] = [poolOf(context, choice, 'default')!, poolOf(context, choice, 'high')!];
  t.ok(normal !== high);
  t.ok(poolOf(context, choice, 'default') === normal);
  t.ok(poolOf(context, choice, 'high') === high);
  t.ok(endpoint.pools instanceof Http1EndpointPools);
  const otherEngine = { ...context, connector: new Http1Connector(cluster.reactor, new OutputBuffer()) };
  const ofOtherEngine = poolOf(otherEngine, choice, 'default');
  t.ok(ofOtherEngine !== normal, 'and so has each engine');
  t.ok(poolOf(otherEngine, choice, 'default') === ofOtherEngine);
  const [one, other] = await Promise.all([ask(normal), ask(high)]);
  t.same([cluster.runtime.breakers.default.connections, cluster.runtime.breakers.high.connections], [1, 1]);
  for (const connection of [one, other]) connection.close();
});

t.test('what differs in names or protocols has connections of its own, as long as somebody uses them', async (t) => {
  const { context, cluster } = await open(t);
  const endpoint = cluster.runtime.chooseEndpoint(makeContext())!;
  const variant = (host: string): ConnectionVariant => ({ key: host, host, alpn: null });
  const pool = (host: string) =>
    poolOf(context, { cluster: cluster.runtime, endpoint, variant: variant(host) }, 'default');
  const alike = poolOf(context, { cluster: cluster.runtime, endpoint }, 'default');
  const used = pool('a.example')!;
  t.not(used, alike);
  t.equal(pool('a.example'), used);
  t.equal(used.variant?.host, 'a.example');
  const connection = await ask(used);
  for (let index = 1; index < maxVariantPools; index++) if (pool(`${index}.example`) === null) t.fail(`${index}`);
  const last = ask(pool('1.example')!);
  t.not(pool('one-more.example'), null, 'those that nobody uses make room');
  t.equal(pool('a.example'), used);
  (endpoint.pools as Http1EndpointPools).retireIdle();
  t.equal(pool('a.example'), used);
  for (const each of [connection, await last]) each.close();
});

t.test('a client that names ever new hosts gets no more pools than there may be', async (t) => {
  const { context, cluster } = await open(t);
  const endpoint = cluster.runtime.chooseEndpoint(makeContext())!;
  const pools = new Http1EndpointPools(cluster.runtime, endpoint);
  const waiter = { onConnectionReady: () => undefined, onConnectionFailed: () => undefined };
  const connecting = () => ({ notes: new ConnectionNotes() }) as PooledConnection;
  const connector: UpstreamConnector = { carrierOf: () => connector, connect: connecting };
  for (let index = 0; index < maxVariantPools; index++) {
    const variant = { key: `${index}`, host: `${index}`, alpn: null };
    pools.get({ ...context, connector }, 'default', { variant })!.acquire(waiter, false, false);
  }
  const variant = { key: 'more', host: 'more', alpn: null };
  t.equal(pools.get({ ...context, connector }, 'default', { variant }), null);
});

/** A pool in front of an endpoint that accepts. */
async function open(
  t: Test,
  upstreamHttp: Partial<Cluster['upstreamHttp']> = {},
  limits: Partial<Cluster['circuitBreakers']['default']> = {},
) {
  const clock = { offsetMs: 0, reactor: undefined as unknown as ReturnType<typeof startReactor> };
  const reactor = startReactor(t, { clock: () => threadNowMs() + clock.offsetMs });
  clock.reactor = reactor;
  const acceptor = listenOn(t, reactor);
  const port = acceptor.address.kind === 'ip' ? acceptor.address.port : 0;
  const assignment = makeAssignment([makeLocality([makeEndpoint('127.0.0.1', { port })])]);
  const defaults = makeCluster();
  const breaker = { ...defaults.circuitBreakers.default, ...limits };
  const config = makeCluster({
    discovery: { kind: 'static', assignment },
    upstreamHttp: { ...defaults.upstreamHttp, ...upstreamHttp },
    circuitBreakers: { default: breaker, high: breaker },
  });
  const store = new StatsStore();
  const runtime = new ClusterRuntime(config, assignment, {
    statsSource: makeStatsSource(store),
    tls: noTls,
    random: seededRandom(1),
    clock: () => 0,
  });
  const context = { reactor, connector: new Http1Connector(reactor, new OutputBuffer()) };
  const endpoint = runtime.chooseEndpoint(makeContext())!;
  const pool = new EndpointPool(context, runtime, endpoint, { breaker: runtime.breakers.default, variant: null });
  t.teardown(() => pool.drain());
  const count = (name: keyof typeof clusterStats) =>
    store.get(clusterStats, config.statName)!.value(clusterStats[name] as number);
  const pendingAtEndpoint = () => endpoint.stats.get(endpointStats.rqPendingActive);
  return { pool, acceptor, clock, context, count, pendingAtEndpoint, cluster: { runtime, reactor }, exchange };
}

/** A request's wait: a connection, or the failure as a rejection. */
function ask(pool: EndpointPool, { fresh = false, mustNotRepeat = false } = {}): Promise<Http1ClientConnection> {
  const { promise, resolve, reject } = Promise.withResolvers<Http1ClientConnection>();
  const onConnectionReady = (connection: UpstreamConnection) => resolve(connection as Http1ClientConnection);
  pool.acquire({ onConnectionReady, onConnectionFailed: reject }, fresh, mustNotRepeat);
  return promise;
}

/** One request and its response. */
async function exchange(connection: Http1ClientConnection, endpoint: RecordingHandler): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const head = new RequestHead();
  head.method = 'GET';
  head.path = '/';
  head.headers.append('Host', 'a');
  connection.sendHead(head, {
    onResponseHead: () => {},
    onResponseEnd: resolve,
    acceptsResponseBody: true,
  } as unknown as ResponseReceiver);
  connection.sendEnd(null);
  const received = endpoint.next('data');
  connection.flush();
  await received;
  endpoint.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await promise;
}
