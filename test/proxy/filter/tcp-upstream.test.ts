// What a cluster counts of one connection, by how it ends. The counters of each case are those of Envoy 1.40.

import t, { type Test } from 'tap';
import { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import { TcpUpstream, type TcpUpstreamHandler } from '../../../proxy/filter/tcp-upstream.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
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

t.test('a refused connection is a failure, and the peer’s doing', async (t) => {
  const { upstream, counted, closed, endpoint } = await open(t, { refuse: true });
  await closed;
  t.notOk(upstream.isEstablished);
  t.equal(endpoint.stats.get(endpointStats.cxConnectFail), 1);
  t.same(counted(), {
    ...waited,
    upstreamCxConnectFail: 1,
    upstreamCxDestroyRemote: 1,
    upstreamRqPendingFailureEject: 1,
  });
});

t.test('a connection that we give up before it stands is no failure', async (t) => {
  const { upstream, counted, closed, acceptor } = await open(t);
  upstream.stream.close();
  await closed;
  t.same(counted(), { ...waited, upstreamCxDestroyLocal: 1, upstreamRqCancelled: 1 });
  (await acceptor.next()).stream.close();
});

t.test('an established connection counts as a request that its end has cut', async (t) => {
  for (const side of ['Local', 'Remote'] as const) {
    const { upstream, counted, closed, acceptor, connected, endpoint: member, beganAtMs } = await open(t);
    await connected;
    t.ok(upstream.connectMs >= 0 && upstream.connectMs <= performance.now() - beganAtMs, String(upstream.connectMs));
    t.equal(member.stats.get(endpointStats.rqActive), 1);
    const endpoint = await acceptor.next();
    if (side === 'Local') upstream.stream.close();
    else endpoint.stream.reset();
    await closed;
    t.same(
      [endpointStats.rqActive, endpointStats.rqTotal, endpointStats.cxTotal].map((stat) => member.stats.get(stat)),
      [0, 1, 1],
    );
    t.same(counted(), {
      ...waited,
      upstreamRqTotal: 1,
      [`upstreamCxDestroy${side}`]: 1,
      upstreamCxDestroyWithActiveRq: 1,
      [`upstreamCxDestroy${side}WithActiveRq`]: 1,
    });
    endpoint.stream.close();
  }
});

/** What every connection counts that has ended. */
const waited = { upstreamCxTotal: 1, upstreamCxDestroy: 1, upstreamRqPendingTotal: 1 };

const COUNTED = [
  'upstreamRqTotal',
  'upstreamRqActive',
  'upstreamRqPendingTotal',
  'upstreamRqPendingActive',
  'upstreamRqPendingFailureEject',
  'upstreamRqCancelled',
  'upstreamCxTotal',
  'upstreamCxActive',
  'upstreamCxConnectFail',
  'upstreamCxConnectTimeout',
  'upstreamCxDestroy',
  'upstreamCxDestroyLocal',
  'upstreamCxDestroyRemote',
  'upstreamCxDestroyWithActiveRq',
  'upstreamCxDestroyLocalWithActiveRq',
  'upstreamCxDestroyRemoteWithActiveRq',
] as const;

/** An upstream of a session that only listens. */
async function open(t: Test, { refuse = false } = {}) {
  const reactor = startReactor(t);
  const [, accepted] = await connectedStreams(t, reactor);
  const acceptor = listenOn(t, reactor);
  const port = acceptor.address.kind === 'ip' ? acceptor.address.port : 0;
  if (refuse) acceptor.socket.close();
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const assignment = makeAssignment([makeLocality([makeEndpoint('127.0.0.1', { port })])]);
  const config = makeCluster({ discovery: { kind: 'static', assignment } });
  const statsSource = { ...makeStatsSource(), clusterBlock: (name: string) => stats.block(clusterStats, name) };
  const environment = { statsSource, random: seededRandom(1), clock: () => 0, tls: noTls };
  const cluster = new ClusterRuntime(config, assignment, environment);
  cluster.breakers.default.tryAcquireConnection();
  const connected = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  const session: TcpUpstreamHandler = {
    onUpstreamConnected: () => connected.resolve(),
    onUpstreamPeer: () => t.fail('nobody tells metadata'),
    onUpstreamExchangeFailed: (reason) => t.fail(reason),
    onUpstreamBytes: () => undefined,
    onUpstreamDrained: () => undefined,
    onUpstreamEnd: () => undefined,
    onUpstreamClosed: () => closed.resolve(),
  };
  const endpoint = cluster.chooseEndpoint(makeContext())!;
  const options = { reactor, cluster, endpoint, limitBytes: Number.POSITIVE_INFINITY };
  const beganAtMs = reactor.nowMs;
  const upstream = new TcpUpstream(options);
  upstream.attach(session, accepted.stream);
  t.equal(endpoint.stats.get(endpointStats.rqPendingActive), 1, 'it waits for its connection');
  const counted = (): Record<string, number> => {
    const group = store.get(clusterStats, cluster.config.statName)!;
    const values = COUNTED.map((name) => [name, group.value(clusterStats[name])] as const);
    t.equal(cluster.breakers.default.connections, 0, 'the circuit breaker has it back');
    t.equal(endpoint.activeConnections, 0);
    t.equal(endpoint.stats.get(endpointStats.rqPendingActive), 0);
    return Object.fromEntries(values.filter(([, value]) => value !== 0));
  };
  const events = { connected: connected.promise, closed: closed.promise };
  return { upstream, endpoint, beganAtMs, acceptor, counted, ...events };
}
