// Which requests go by undici, and how its connections are made.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Cluster } from '../../../../config/cluster.ts';
import { ClusterRuntime } from '../../../../proxy/cluster/cluster-runtime.ts';
import type { ConnectionOwner, PooledConnection } from '../../../../proxy/cluster/pooled-connection.ts';
import { loadUndici } from '../../../../proxy/engine/undici/undici-connector.ts';
import { OutputBuffer } from '../../../../proxy/http/http1/output-buffer.ts';
import { RequestHead } from '../../../../proxy/http/message.ts';
import type { CloseReason } from '../../../../proxy/reactor/byte-stream.ts';
import { localAddressText } from '../../../../proxy/reactor/local-address.ts';
import {
  makeAssignment,
  makeCluster,
  makeContext,
  makeEndpoint,
  makeLocality,
  makeStatsSource,
  noTls,
  seededRandom,
} from '../../../support/cluster-fixtures.ts';
import { startReactor } from '../../../support/reactor-fixtures.ts';

/** What a pool is told, as text. */
class Owner implements ConnectionOwner {
  readonly turn = 0;
  readonly variant = null;
  readonly events: string[] = [];
  #changed = Promise.withResolvers<void>();

  onConnectionEstablished(connection: PooledConnection): void {
    this.#record(`established ${localAddressText(connection.stream).split(':')[0]}`);
  }
  onConnectionIdle(): void {
    this.#record('idle');
  }
  onConnectionClosed(_: PooledConnection, reason: CloseReason, wasIdle: boolean): void {
    this.#record(`closed ${reason.kind}${reason.kind === 'error' ? ` ${reason.errno}` : ''}${wasIdle ? ' idle' : ''}`);
  }

  async saw(count: number): Promise<readonly string[]> {
    while (this.events.length < count) await this.#changed.promise;
    return this.events;
  }

  #record(event: string): void {
    this.events.push(event);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

async function open(t: Test, port: number, overrides: Partial<Cluster> = {}, ip = '127.0.0.1') {
  const reactor = startReactor(t, { onNodeLoop: true });
  const connector = (await loadUndici())(reactor, new OutputBuffer());
  const assignment = makeAssignment([makeLocality([makeEndpoint(ip, { port })])]);
  const config = makeCluster({ discovery: { kind: 'static', assignment }, ...overrides });
  const cluster = new ClusterRuntime(config, assignment, {
    statsSource: makeStatsSource(),
    random: seededRandom(1),
    clock: () => 0,
    tls: noTls,
  });
  return { connector, cluster, endpoint: cluster.chooseEndpoint(makeContext())!, owner: new Owner() };
}

async function listen(t: Test): Promise<{ port: number; accepted: Promise<Socket> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  const accepted = once(server, 'connection').then(([socket]) => socket as Socket);
  return { port: (server.address() as { port: number }).port, accepted };
}

t.test('a connection comes from the bind address and is closed when told to', async (t) => {
  const { port, accepted } = await listen(t);
  const bindAddress = { kind: 'ip', ip: '127.0.0.7', port: 0 } as const;
  const { connector, cluster, endpoint, owner } = await open(t, port, { bindAddress });
  const connection = connector.connect(owner, cluster, endpoint);
  t.same(await owner.saw(1), ['established 127.0.0.7']);
  t.notOk(connection.hasInput());
  connection.close();
  t.same(await owner.saw(2), ['established 127.0.0.7', 'closed local idle']);
  (await accepted).destroy();
});

t.test('an unused connection that its endpoint ends, or speaks on, is given up', async (t) => {
  for (const say of ['', 'HTTP/1.1 200 OK\r\n\r\n']) {
    const { port, accepted } = await listen(t);
    const { connector, cluster, endpoint, owner } = await open(t, port);
    connector.connect(owner, cluster, endpoint);
    await owner.saw(1);
    (await accepted).end(say);
    t.match((await owner.saw(2))[1], /^closed \w+ idle$/);
  }
});

t.test('an endpoint that refuses is told with what the kernel said', async (t) => {
  const { connector, cluster, endpoint, owner } = await open(t, 1);
  connector.connect(owner, cluster, endpoint);
  t.same(await owner.saw(1), ['closed error 111']);
});

t.test('a connection that nobody accepts ends by connect_timeout', async (t) => {
  // A network without hosts (RFC 5737); where it cannot be reached at all, the kernel says so.
  const { connector, cluster, endpoint, owner } = await open(t, 9, { connectTimeoutMs: 50 }, '192.0.2.1');
  connector.connect(owner, cluster, endpoint);
  t.match((await owner.saw(1))[0], /^closed (connect-timeout|error \d+)$/);
});

t.test("TLS, trailers and what undici cannot say are our own engine's", async (t) => {
  const { connector, cluster, endpoint } = await open(t, 1);
  const head = new RequestHead();
  head.method = 'GET';
  head.path = '/';
  t.equal(connector.carrierOf(head, cluster, endpoint), connector);
  const { upstreamHttp } = cluster.config;
  const withTrailers = await open(t, 1, { upstreamHttp: { ...upstreamHttp, enableTrailers: true } });
  t.not(withTrailers.connector.carrierOf(head, withTrailers.cluster, withTrailers.endpoint), withTrailers.connector);
  head.method = 'CONNECT';
  t.not(connector.carrierOf(head, cluster, endpoint), connector);
});
