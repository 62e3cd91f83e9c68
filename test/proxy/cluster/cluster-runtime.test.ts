import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { LoadAssignment } from '../../../config/endpoint.ts';
import type { UpstreamTls } from '../../../config/tls.ts';
import { ClusterRuntime } from '../../../proxy/cluster/cluster-runtime.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
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
import { upstreamTls } from '../../support/tls-config-fixtures.ts';

function make(config: Cluster = makeCluster(), assignment: LoadAssignment | null = two) {
  const statsSource = makeStatsSource();
  const time = { nowMs: 0 };
  const environment = { random: seededRandom(3), clock: () => time.nowMs, statsSource, tls: noTls };
  return { statsSource, time, cluster: new ClusterRuntime(config, assignment, environment) };
}

const of = (...ips: readonly string[]) => makeAssignment([makeLocality(ips.map((ip) => makeEndpoint(ip)))]);
const two = of('10.0.0.1', '10.0.0.2');
const keys = (cluster: ClusterRuntime) => [...cluster.eachEndpoint()].map((endpoint) => endpoint.key);

t.test('a static cluster has the members of its configuration when no assignment was given', (t) => {
  const { cluster } = make(makeCluster({ discovery: { kind: 'static', assignment: two } }), null);
  t.same(keys(cluster), ['10.0.0.1:80', '10.0.0.2:80']);
  t.end();
});

t.test('other transports are made with the configuration that names them, and the ones before let go', (t) => {
  const told: string[] = [];
  const client = ({ sni }: UpstreamTls) => {
    told.push(`made ${sni}`);
    return { begin: () => sni, release: () => told.push(`released ${sni}`) };
  };
  const tls = (sni: string) => makeCluster({ transport: { kind: 'tls', tls: upstreamTls({ sni }) } });
  const options = { random: seededRandom(3), clock: () => 0, statsSource: makeStatsSource(), tls: { client } as never };
  const cluster = new ClusterRuntime(tls('a'), two, options);
  t.same(told, [], 'not before there are endpoints');
  const [endpoint] = cluster.eachEndpoint();
  t.equal(endpoint!.transport?.begin(3, '', null), 'a');
  cluster.updateConfig(tls('a'));
  t.same(told.splice(0), ['made a']);
  cluster.updateConfig(tls('b'));
  t.equal(endpoint!.transport?.begin(3, '', null), 'b');
  t.same(told.splice(0), ['made b', 'released a']);
  cluster.remove();
  cluster.cleanUp(0);
  t.same(told, ['released b']);
  t.end();
});

t.test('a cluster whose members are not known yet has no endpoint', (t) => {
  const { cluster } = make(makeCluster(), null);
  t.equal(cluster.chooseEndpoint(makeContext()), null);
  cluster.updateAssignment(two);
  t.ok(cluster.chooseEndpoint(makeContext()));
  t.end();
});

t.test('a retry avoids the endpoints it tried, as often as it may draw', (t) => {
  const { cluster } = make();
  const [first, second] = cluster.endpoints.endpoints;
  for (let i = 0; i < 10; i++) t.equal(cluster.chooseEndpoint(makeContext({ excluded: [first!] })), second);
  const all = [first!, second!];
  t.ok(all.includes(cluster.chooseEndpoint(makeContext({ excluded: all, hostSelectionMaxAttempts: 5 }))!));
  const never = { excluded: [first!], hostSelectionMaxAttempts: 0 };
  const chosen = new Set([1, 2].map(() => cluster.chooseEndpoint(makeContext(never))));
  t.equal(chosen.size, 2, 'without another draw the excluded one is taken');
  t.end();
});

t.test('a new assignment drains what is gone at once and is used for the next choice', (t) => {
  const { cluster } = make();
  const [staying, going] = cluster.endpoints.endpoints;
  let drained = 0;
  going!.pools = { drain: () => drained++ };
  cluster.updateAssignment(of('10.0.0.1', '10.0.0.3'));
  t.equal(drained, 1);
  t.equal(going!.isRemoved, true);
  const chosen = new Set([1, 2, 3, 4].map(() => cluster.chooseEndpoint(makeContext())));
  t.equal(chosen.size, 2);
  t.ok(chosen.has(staying!));
  t.notOk(chosen.has(going!));
  t.end();
});

t.test('a new configuration keeps counters and connections unless connections would be made differently', (t) => {
  const { cluster } = make();
  const [endpoint] = cluster.endpoints.endpoints;
  let drained = 0;
  const pools = { drain: () => drained++ };
  endpoint!.pools = pools;
  cluster.breakers.default.tryAcquireRequest();
  const { default: limits, high } = cluster.config.circuitBreakers;
  cluster.updateConfig(
    makeCluster({
      connectTimeoutMs: 1,
      loadBalancer: { ...cluster.config.loadBalancer, policy: { kind: 'random' } },
      circuitBreakers: { default: { ...limits, maxRequests: 1 }, high },
    }),
  );
  t.equal(endpoint!.pools, pools);
  t.equal(cluster.breakers.default.requests, 1);
  t.equal(cluster.breakers.default.tryAcquireRequest(), false, 'the new limit holds');
  cluster.updateConfig(makeCluster({ bindAddress: { kind: 'ip', ip: '127.0.0.6', port: 0 } }));
  t.equal(drained, 1);
  t.equal(endpoint!.pools, null);
  t.equal(endpoint!.isRemoved, false, 'the endpoint stays');
  t.equal(cluster.endpoints.endpoints[0], endpoint);
  t.end();
});

const originalDst = (cleanupIntervalMs: number): Cluster =>
  makeCluster({
    discovery: {
      kind: 'original-dst',
      cleanupIntervalMs,
      useHttpHeader: false,
      httpHeaderName: 'x-envoy-original-dst-host',
    },
    loadBalancer: {
      policy: { kind: 'cluster-provided' },
      localityWeighted: false,
      healthyPanicThresholdPercent: 50,
    },
  });

t.test('an original-dst cluster finds its endpoints by itself', (t) => {
  const { cluster } = make(originalDst(5000), null);
  const context = makeContext({ originalDestination: '10.0.0.9:80' });
  t.equal(cluster.chooseEndpoint(makeContext()), null);
  const endpoint = cluster.chooseEndpoint(context);
  t.same(keys(cluster), ['10.0.0.9:80']);
  cluster.cleanUp(0);
  cluster.updateConfig(originalDst(5000));
  t.equal(cluster.chooseEndpoint(context), endpoint, 'an update that changes nothing keeps them');
  cluster.updateConfig(makeCluster({ discovery: { kind: 'static', assignment: two } }));
  t.equal(endpoint!.isRemoved, true);
  t.same(keys(cluster), ['10.0.0.1:80', '10.0.0.2:80']);
  t.end();
});

t.test('stats are taken on first use and given back when the last user of a removed cluster is gone', (t) => {
  const { cluster, statsSource } = make();
  const endpoint = cluster.chooseEndpoint(makeContext())!;
  t.equal(statsSource.blocksInUse(), 0);
  t.equal(cluster.stats.get(clusterStats.membershipTotal), 2);
  endpoint.stats.inc(0);
  t.equal(
    statsSource.blocksInUse(),
    7,
    'the cluster, two kinds of callers, retried responses, two circuit breakers, one endpoint',
  );
  endpoint.activeConnections = 1;
  cluster.breakers.high.tryAcquireRequest();

  cluster.remove();
  t.equal(cluster.isRemoved, true);
  t.equal(cluster.chooseEndpoint(makeContext()), null);
  t.equal(cluster.stats.get(clusterStats.membershipTotal), 0);
  cluster.cleanUp(1000);
  t.equal(statsSource.blocksInUse(), 7);
  endpoint.activeConnections = 0;
  cluster.cleanUp(2000);
  t.equal(statsSource.blocksInUse(), 6, 'the endpoint is idle');
  t.equal(cluster.isGone, false);
  cluster.breakers.high.releaseRequest();
  cluster.cleanUp(3000);
  t.equal(cluster.isGone, true);
  t.equal(statsSource.blocksInUse(), 0);
  t.end();
});

t.test('membership gauges follow the assignment', (t) => {
  const { cluster } = make();
  const { stats } = cluster;
  cluster.updateAssignment(
    makeAssignment([
      makeLocality([
        makeEndpoint('10.0.0.1', { weight: 7 }),
        makeEndpoint('10.0.0.2', { health: 'degraded' }),
        makeEndpoint('10.0.0.3', { health: 'unhealthy' }),
      ]),
    ]),
  );
  t.equal(stats.get(clusterStats.membershipTotal), 3);
  t.equal(stats.get(clusterStats.membershipHealthy), 1);
  t.equal(stats.get(clusterStats.membershipDegraded), 1);
  t.equal(stats.get(clusterStats.maxHostWeight), 7);
  t.end();
});

const slowStart = { windowMs: 10_000, aggression: 1, minWeightPercent: 10 };
const warming = makeCluster({
  loadBalancer: {
    policy: { kind: 'round-robin', slowStart },
    localityWeighted: false,
    healthyPanicThresholdPercent: 0,
  },
});

/** Percent of the requests that go to the endpoint, to the next five. */
function shareOf(cluster: ClusterRuntime, key: string): number {
  const context = makeContext();
  const keys = Array.from({ length: 1000 }, () => cluster.chooseEndpoint(context)?.key);
  return Math.round(keys.filter((each) => each === key).length / 50) * 5;
}

t.test('slow start begins when an endpoint joins, and anew when it comes back', (t) => {
  const { cluster, time } = make(warming);
  cluster.watchMembers();
  time.nowMs = 20_000;
  cluster.updateAssignment(of('10.0.0.1', '10.0.0.2', '10.0.0.3'));
  t.equal(shareOf(cluster, '10.0.0.3:80'), 5, 'a tenth of the weight');
  time.nowMs = 25_000;
  cluster.updateAssignment(of('10.0.0.1', '10.0.0.2', '10.0.0.3'));
  t.equal(shareOf(cluster, '10.0.0.3:80'), 20, 'half of it, though the members were told again');
  time.nowMs = 30_000;
  t.equal(shareOf(cluster, '10.0.0.3:80'), 35, 'a third');
  cluster.updateAssignment(two);
  cluster.updateAssignment(of('10.0.0.1', '10.0.0.2', '10.0.0.3'));
  t.equal(shareOf(cluster, '10.0.0.3:80'), 5);
  t.end();
});

t.test('slow start of an endpoint that is not healthy waits until it is', (t) => {
  const { cluster, time } = make(warming);
  const told = (health: 'healthy' | 'unhealthy') =>
    makeAssignment([makeLocality([makeEndpoint('10.0.0.1'), makeEndpoint('10.0.0.2', { health })])]);
  cluster.updateAssignment(told('unhealthy'));
  cluster.watchMembers();
  time.nowMs = 20_000;
  t.equal(shareOf(cluster, '10.0.0.2:80'), 0);
  cluster.updateAssignment(told('healthy'));
  t.equal(shareOf(cluster, '10.0.0.2:80'), 10, 'one of eleven');
  time.nowMs = 30_000;
  t.equal(shareOf(cluster, '10.0.0.2:80'), 50);
  // As in Envoy, where only its own health checks begin it again.
  cluster.updateAssignment(told('unhealthy'));
  cluster.updateAssignment(told('healthy'));
  t.equal(shareOf(cluster, '10.0.0.2:80'), 50);
  t.end();
});

t.test('with a configuration that brings slow start all endpoints begin together', (t) => {
  const { cluster, time } = make();
  cluster.watchMembers();
  time.nowMs = 50_000;
  cluster.updateConfig(warming);
  t.equal(shareOf(cluster, '10.0.0.1:80'), 50);
  time.nowMs = 51_000;
  cluster.updateAssignment(of('10.0.0.1', '10.0.0.2', '10.0.0.3'));
  time.nowMs = 60_000;
  const shares = ['10.0.0.1:80', '10.0.0.3:80'].map((key) => shareOf(cluster, key));
  t.ok(shares[0]! > shares[1]!, `${shares}`);
  t.end();
});
