// The accounts of a session: whatever ends it, and when, everything that was taken is given back once.

import t, { type Test } from 'tap';
import type { Address } from '../../../config/address.ts';
import type { Cluster } from '../../../config/cluster.ts';
import { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import type { ClusterTable } from '../../../proxy/cluster/cluster-table.ts';
import { TcpProxyFilter } from '../../../proxy/filter/tcp-proxy.ts';
import { TcpSession } from '../../../proxy/filter/tcp-session.ts';
import type { ConnectionFacts } from '../../../proxy/http/connection-facts.ts';
import type { HttpContext } from '../../../proxy/http/connection-manager.ts';
import type { ByteStream } from '../../../proxy/reactor/byte-stream.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';
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
import {
  type Acceptor,
  connectedStreams,
  listenOn,
  type RecordingHandler,
  startReactor,
} from '../../support/reactor-fixtures.ts';
import { tcpProxyOf } from '../../support/tcp-proxy-fixtures.ts';

t.test('bytes and the end of a client that did not wait for the connection arrive', async (t) => {
  const { client, acceptor, over, cluster } = await open(t);
  client.write('request');
  client.stream.endWriting();
  const endpoint = await acceptor.next();
  await endpoint.saw('end');
  t.equal(endpoint.text, 'request');
  endpoint.write('response');
  endpoint.stream.endWriting();
  await client.saw('closed');
  t.equal(client.text, 'response');
  await over;
  t.equal(cluster.breakers.default.connections, 0);
});

t.test('a client that goes before the endpoint has answered leaves nothing behind', async (t) => {
  const { client, acceptor, over, cluster, downstream } = await open(t);
  t.equal(cluster.breakers.default.connections, 1);
  downstream.reset();
  await over;
  await client.saw('closed');
  const endpoint = await acceptor.next();
  await endpoint.saw('end');
  endpoint.stream.close();
  t.equal(cluster.breakers.default.connections, 0);
  t.equal(cluster.chooseEndpoint(makeContext())?.activeConnections, 0);
});

t.test('a session that cannot connect is over once, after the attempts it may make', async (t) => {
  const { client, over, cluster, ends } = await open(t, { refuse: true });
  await over;
  await client.saw('end');
  t.equal(ends(), 1);
  t.equal(cluster.breakers.default.connections, 0);
  t.equal(cluster.chooseEndpoint(makeContext())?.activeConnections, 0);
});

interface Opened {
  readonly client: RecordingHandler;
  readonly downstream: ByteStream;
  readonly acceptor: Acceptor;
  readonly cluster: ClusterRuntime;
  /** Resolves when the listener was told that the connection is gone. */
  readonly over: Promise<void>;
  /** How often it was told. */
  readonly ends: () => number;
}

/** A client, whose session is on its way to an endpoint. */
async function open(t: Test, { refuse = false } = {}): Promise<Opened> {
  const reactor = startReactor(t);
  const [client, accepted] = await connectedStreams(t, reactor);
  const acceptor = listenOn(t, reactor);
  if (refuse) acceptor.socket.close();
  const cluster = clusterAt(acceptor.address);
  const filter = new TcpProxyFilter({
    config: tcpProxyOf({ maxConnectAttempts: 2 }),
    context: contextOf(reactor, cluster),
    stats: new WorkerStats(() => {}).block(tcpStats, 'tcp'),
    accessLoggers: [],
  });
  const { promise: over, resolve } = Promise.withResolvers<void>();
  let ends = 0;
  const counter = {
    onConnectionGone: () => {
      ends++;
      resolve();
    },
  };
  new TcpSession(filter, accepted.stream, FACTS, counter).connect();
  return { client, downstream: accepted.stream, acceptor, cluster, over, ends: () => ends };
}

function clusterAt(address: Address): ClusterRuntime {
  const port = address.kind === 'ip' ? address.port : 0;
  const assignment = makeAssignment([makeLocality([makeEndpoint('127.0.0.1', { port })])]);
  const config: Cluster = makeCluster({ discovery: { kind: 'static', assignment } });
  return new ClusterRuntime(config, assignment, {
    statsSource: makeStatsSource(),
    random: seededRandom(1),
    clock: () => 0,
    tls: noTls,
  });
}

function contextOf(reactor: Reactor, cluster: ClusterRuntime): HttpContext {
  const clusters = { get: () => cluster } as unknown as ClusterTable;
  return { reactor, clusters, random: seededRandom(1), chooseContext: makeContext(), wallOffsetMs: 0 } as HttpContext;
}

const FACTS: ConnectionFacts = {
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
