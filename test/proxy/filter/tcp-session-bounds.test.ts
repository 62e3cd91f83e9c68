// What bounds a session: deadlines, of which none stays armed when it is over, since one that fired later would count, and write
// into a log that is written already; and how much of it waits here while a side reads nothing.

import t, { type Test } from 'tap';
import { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import type { ClusterTable } from '../../../proxy/cluster/cluster-table.ts';
import { TcpProxyFilter } from '../../../proxy/filter/tcp-proxy.ts';
import { TcpSession } from '../../../proxy/filter/tcp-session.ts';
import { TcpUpstream } from '../../../proxy/filter/tcp-upstream.ts';
import type { HttpContext } from '../../../proxy/http/connection-manager.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
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
import { connectedStreams, listenOn, startReactor } from '../../support/reactor-fixtures.ts';
import { tcpProxyOf, until } from '../../support/tcp-proxy-fixtures.ts';
import { threadNowMs } from '../../support/thread-time.ts';

const farMs = 3_600_000;
/** More than the kernel takes for both sockets of a connection on loopback. */
const floodBytes = 32 * 1024 * 1024;
/** Some reads; what a session holds back is one of them. */
const heldBytes = 2 * 1024 * 1024;

t.test('a client that resets leaves none', async (t) => {
  const { client, over, acceptor, armed } = await open(t);
  const endpoint = await acceptor.next();
  t.ok(armed() > 0, 'while it is open there are some');
  client.stream.reset();
  await over;
  await endpoint.saw('closed');
  t.equal(armed(), 0);
});

t.test('a session that finds no endpoint to connect to leaves none', async (t) => {
  const { over, armed } = await open(t, { refuse: true });
  await over;
  t.equal(armed(), 0);
});

t.test('an orderly end of both sides leaves none, whichever begins', async (t) => {
  for (const begins of ['client', 'endpoint'] as const) {
    const { client, over, acceptor, armed } = await open(t);
    const endpoint = await acceptor.next();
    const [first, second] = begins === 'client' ? [client, endpoint] : [endpoint, client];
    first.stream.endWriting();
    await second.saw('end');
    t.ok(armed() > 0, 'half open, there are some');
    second.stream.endWriting();
    await over;
    await Promise.all([client.saw('closed'), endpoint.saw('closed')]);
    t.equal(armed(), 0, begins);
  }
});

t.test('a long connection is logged each time that the interval is over, and once at its end', async (t) => {
  const { client, over, acceptor, logged, pass } = await open(t, { logIntervalMs: 60_000 });
  const endpoint = await acceptor.next();
  client.write('.');
  await endpoint.received(1);
  for (const count of [1, 2, 3]) {
    pass(60_000);
    await until(() => logged.length >= count);
  }
  t.same(logged, ['TcpPeriodic', 'TcpPeriodic', 'TcpPeriodic']);
  client.stream.reset();
  await over;
  t.same(logged.slice(3), ['TcpConnectionEnd']);
});

t.test('a side that reads nothing stops the other, and has every byte when it reads again', async (t) => {
  for (const slow of ['client', 'endpoint'] as const) {
    const { client, over, acceptor, stream, upstream } = await open(t);
    const endpoint = await acceptor.next();
    client.write('.');
    await endpoint.received(1);
    endpoint.write('.');
    await client.received(1);
    const [reader, writer, held] =
      slow === 'client' ? [client, endpoint, stream] : [endpoint, client, upstream().stream];
    reader.stream.pauseReading();
    writer.write('x'.repeat(floodBytes));
    await until(() => held.pendingWriteBytes > 0);
    const left = await whenStill(() => writer.stream.pendingWriteBytes);
    t.ok(held.pendingWriteBytes < heldBytes, `${slow}: ${held.pendingWriteBytes} bytes wait here`);
    t.ok(left > heldBytes, `${slow}: ${left} bytes with who sends them`);
    reader.stream.resumeReading();
    await reader.received(1 + floodBytes);
    writer.stream.endWriting();
    await reader.saw('end');
    reader.stream.endWriting();
    await over;
  }
});

/** Once it is the same in a hundred turns in a row. */
async function whenStill(read: () => number): Promise<number> {
  let last = read();
  for (let same = 0; same < 100; ) {
    await new Promise(setImmediate);
    const now = read();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** A client whose session is on its way to an endpoint, with every deadline that can be configured. */
async function open(t: Test, { refuse = false, logIntervalMs = farMs } = {}) {
  let passedMs = 0;
  const reactor = startReactor(t, { clock: () => threadNowMs() + passedMs });
  const [client, accepted] = await connectedStreams(t, reactor);
  const acceptor = listenOn(t, reactor);
  const port = acceptor.address.kind === 'ip' ? acceptor.address.port : 0;
  if (refuse) acceptor.socket.close();
  const assignment = makeAssignment([makeLocality([makeEndpoint('127.0.0.1', { port })])]);
  const config = makeCluster({ discovery: { kind: 'static', assignment } });
  const environment = { statsSource: makeStatsSource(), random: seededRandom(1), clock: () => 0, tls: noTls };
  const cluster = new ClusterRuntime(config, assignment, environment);
  const clusters = { get: () => cluster } as unknown as ClusterTable;
  const context = { reactor, clusters, random: seededRandom(1), chooseContext: makeContext(), wallOffsetMs: 0 };
  const logged: string[] = [];
  const filter = new TcpProxyFilter({
    config: tcpProxyOf({ maxDownstreamConnectionDurationMs: farMs, accessLogFlushIntervalMs: logIntervalMs }),
    context: context as HttpContext,
    stats: new WorkerStats(() => {}).block(tcpStats, 'tcp'),
    accessLoggers: [{ log: ({ logType }) => logged.push(logType ?? '') }],
  });
  // Of the attempt that the session makes.
  let attempted: TcpUpstream | undefined;
  const attempt = filter.attempt.bind(filter);
  filter.attempt = (destination) => {
    const made = attempt(destination);
    if (made instanceof TcpUpstream) attempted = made;
    return made;
  };
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const before = reactor.timers.armedCount;
  new TcpSession(filter, accepted.stream, facts, { onConnectionGone: resolve }).connect();
  return {
    client,
    acceptor,
    over,
    logged,
    /** Towards the client. */
    stream: accepted.stream,
    upstream: () => attempted!,
    armed: () => reactor.timers.armedCount - before,
    pass: (ms: number) => {
      passedMs += ms;
    },
  };
}

const facts: ConstructorParameters<typeof TcpSession>[2] = {
  connectionId: 1,
  remoteAddress: '127.0.0.1:1',
  remoteIp: '127.0.0.1',
  isLoopbackPeer: true,
  localAddress: '127.0.0.1:2',
  localPort: 2,
  listenerName: 'tcp',
  filterChainName: '',
  bufferLimitBytes: 1_048_576,
  originalDestination: undefined,
  requestedServerName: '',
};
