import t from 'tap';
import { formatAddress } from '../../../config/address.ts';
import type { Endpoint, LoadAssignment } from '../../../config/endpoint.ts';
import { DnsCluster, type ResolvedDiscovery } from '../../../proxy/discovery/dns-cluster.ts';
import type { QueryOutcome } from '../../../proxy/discovery/dns-query.ts';
import { clusterDiscoveryStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { makeAssignment, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const named = (hostname: string, given: Partial<Endpoint> = {}): Endpoint => ({
  ...makeEndpoint('0.0.0.0'),
  address: { kind: 'host', hostname, port: 80 },
  ...given,
});

/** A cluster whose names the test answers: `answer` is what comes next, `tick` the next attempt of all names. */
function make(kind: ResolvedDiscovery['kind'], assignment: LoadAssignment) {
  const answers = new Map<string, QueryOutcome>();
  const assignments: LoadAssignment[] = [];
  const timers = new Set<() => void>();
  const block = new WorkerStats(() => undefined).block(clusterDiscoveryStats, 'app');
  const cluster = new DnsCluster({
    discovery: {
      kind,
      assignment,
      dns: {
        family: 'auto',
        refreshRateMs: 5000,
        respectTtl: false,
        failureRefreshBaseMs: 5000,
        failureRefreshMaxMs: 5000,
        jitterMs: 0,
        resolvers: [],
      },
    },
    resolver: { resolve: async (hostname) => answers.get(hostname) ?? { kind: 'failed', reason: 'silence' } },
    schedule: (_delayMs, callback) => {
      timers.add(callback);
      return () => timers.delete(callback);
    },
    random: () => 0.5,
    stats: block,
    onAssignment: (resolved) => assignments.push(resolved),
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    assignments,
    start: async () => {
      cluster.start();
      await settle();
    },
    tick: async () => {
      const due = [...timers];
      timers.clear();
      for (const callback of due) callback();
      await settle();
    },
    answer: (hostname: string, ...ips: string[]) => answers.set(hostname, { kind: 'answered', ips, ttlMs: null }),
    members: () =>
      assignments.at(-1)?.localities.map(({ endpoints }) => endpoints.map(({ address }) => formatAddress(address))),
    changes: () => block.get(clusterDiscoveryStats.membershipChange),
    stop: () => cluster.stop(),
    timers,
  };
}

t.test('an address that needs no question is the name of its member', async (t) => {
  const endpoints = [named('', { address: { kind: 'ip', ip: '10.0.0.1', port: 80 } })];
  const { start, assignments } = make('strict-dns', makeAssignment([makeLocality(endpoints)], 140));
  await start();
  t.match(
    assignments.at(-1)?.localities,
    onlyItems({ endpoints: onlyItems({ hostname: '10.0.0.1', address: { ip: '10.0.0.1' } }) }),
  );
});

t.test('localities, priorities, weights and metadata stay with the addresses of a name', async (t) => {
  const endpoint = named('a.test', { weight: 7, metadata: { lb: { version: 'v1' } } });
  const localities = [
    makeLocality([endpoint], { zone: 'near', weight: 3 }),
    makeLocality([named('b.test')], { zone: 'far', priority: 1 }),
  ];
  const { start, answer, members, assignments } = make('strict-dns', makeAssignment(localities, 200));
  answer('a.test', '10.0.0.1', '10.0.0.2');
  answer('b.test', '10.1.0.1');
  await start();
  t.same(members(), [['10.0.0.1:80', '10.0.0.2:80'], ['10.1.0.1:80']]);
  const [resolved] = assignments;
  t.equal(resolved!.overprovisioningFactorPercent, 200);
  t.match(resolved!.localities[0], { locality: { zone: 'near' }, weight: 3 });
  t.match(resolved!.localities[1], { locality: { zone: 'far' }, priority: 1 });
  for (const each of resolved!.localities[0]!.endpoints) {
    t.match(each, { weight: 7, metadata: { lb: { version: 'v1' } }, hostname: 'a.test' });
  }
});

t.test('a name that two endpoints share is asked once', async (t) => {
  const endpoints = [named('a.test'), named('a.test', { address: { kind: 'host', hostname: 'a.test', port: 81 } })];
  const { start, answer, members, timers } = make('strict-dns', makeAssignment([makeLocality(endpoints)]));
  answer('a.test', '10.0.0.1');
  await start();
  t.equal(timers.size, 1);
  t.same(members(), [['10.0.0.1:80', '10.0.0.1:81']]);
});

t.test('a first answer without members, or a first failure, is published too: nobody waits for more', async (t) => {
  for (const ips of [[], undefined]) {
    const { start, tick, answer, members, assignments } = make(
      'strict-dns',
      makeAssignment([makeLocality([named('a.test')])]),
    );
    if (ips !== undefined) answer('a.test');
    await start();
    t.same(members(), [[]]);
    await tick();
    t.equal(assignments.length, 1, 'and the next one like it is no change');
  }
});

t.test('a change of members is counted when there is one', async (t) => {
  const { start, tick, answer, changes } = make('strict-dns', makeAssignment([makeLocality([named('a.test')])]));
  await start();
  t.equal(changes(), 0, 'a first failure changes nothing');
  answer('a.test', '10.0.0.1');
  await tick();
  t.equal(changes(), 1);
  await tick();
  t.equal(changes(), 1);
  answer('a.test');
  await tick();
  t.equal(changes(), 2, 'also to none');
});

t.test('after a stop nothing is published', async (t) => {
  const { start, tick, answer, stop, assignments } = make(
    'logical-dns',
    makeAssignment([makeLocality([named('a.test')])]),
  );
  answer('a.test', '10.0.0.1');
  await start();
  stop();
  answer('a.test', '10.0.0.2');
  await tick();
  t.equal(assignments.length, 1);
});
