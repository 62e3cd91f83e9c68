import t from 'tap';
import { type Address, formatAddress } from '../../../config/address.ts';
import type { Cluster, DnsOptions } from '../../../config/cluster.ts';
import type { Endpoint, LoadAssignment } from '../../../config/endpoint.ts';
import { DnsDiscovery } from '../../../proxy/discovery/dns-discovery.ts';
import type { QueryOutcome } from '../../../proxy/discovery/dns-query.ts';
import { clusterDiscoveryStats } from '../../../proxy/telemetry/cluster-stats.ts';
import type { StatBlock } from '../../../proxy/telemetry/stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const options: DnsOptions = {
  family: 'v4-only',
  refreshRateMs: 5000,
  respectTtl: false,
  failureRefreshBaseMs: 1000,
  failureRefreshMaxMs: 3000,
  jitterMs: 0,
  resolvers: [],
};

const named = (hostname: string, port = 80): Endpoint => ({
  ...makeEndpoint('0.0.0.0'),
  address: { kind: 'host', hostname, port },
});

function dnsCluster(
  given: Partial<Cluster> & {
    kind?: 'strict-dns' | 'logical-dns';
    dns?: Partial<DnsOptions>;
    endpoints?: readonly Endpoint[];
  } = {},
) {
  const { kind = 'strict-dns', dns, endpoints = [named('fruit.test')], ...cluster } = given;
  const assignment = makeAssignment([makeLocality(endpoints)]);
  return makeCluster({ discovery: { kind, assignment, dns: { ...options, ...dns } }, ...cluster });
}

/** A discovery over a table of answers that the test changes, under a clock that the test moves. */
function make(random = () => 0.5) {
  const answers = new Map<string, QueryOutcome>();
  const published: string[] = [];
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  const servers: string[] = [];
  let nowMs = 0;
  const workerStats = new WorkerStats(() => undefined);
  const blocks: StatBlock[] = [];
  const released: StatBlock[] = [];
  const discovery = new DnsDiscovery({
    onAssignment: (name, assignment) => published.push(`${nowMs} ${name} ${describe(assignment)}`),
    stats: {
      block: (statName) => {
        const block = workerStats.block(clusterDiscoveryStats, statName);
        blocks.push(block);
        return block;
      },
      release: (block) => {
        released.push(block);
        workerStats.release(block);
      },
    },
    resolverFor: (resolvers: readonly Address[]) => {
      servers.push(resolvers.map(formatAddress).join());
      return { resolve: async (hostname) => answers.get(hostname) ?? failure };
    },
    schedule: (delayMs, callback) => {
      const timer = { atMs: nowMs + delayMs, callback };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    random,
  });
  /** Runs what is due up to a time, and what follows from it. */
  const advanceTo = async (untilMs: number) => {
    await settle();
    for (;;) {
      const due = [...timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      timers.delete(due);
      nowMs = due.atMs;
      due.callback();
      await settle();
    }
    nowMs = untilMs;
  };
  const update = async (...clusters: readonly Cluster[]) => {
    discovery.update(new Map(clusters.map((cluster) => [cluster.name, cluster])));
    await settle();
  };
  const answer = (hostname: string, ips: readonly string[], ttlMs: number | null = null) =>
    answers.set(hostname, { kind: 'answered', ips, ttlMs });
  const fail = (hostname: string) => answers.set(hostname, failure);
  const count = (name: keyof typeof clusterDiscoveryStats) => blocks.at(-1)!.get(clusterDiscoveryStats[name] as number);
  const holdsStats = () => blocks.filter((block) => !released.includes(block)).length;
  return { discovery, update, advanceTo, answer, fail, published, timers, servers, count, holdsStats };
}

const failure: QueryOutcome = { kind: 'failed', reason: 'time-out' };

/** All callbacks of promises that are settled already. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

function describe({ localities }: LoadAssignment): string {
  return localities.map(({ endpoints }) => endpoints.map(({ address }) => formatAddress(address)).join()).join(' | ');
}

t.test('a strict cluster has an endpoint for every address, again when the answer changes', async (t) => {
  const { update, answer, advanceTo, published, count } = make();
  answer('fruit.test', ['10.0.0.2', '10.0.0.1', '10.0.0.1']);
  await update(dnsCluster());
  t.same(published, ['0 fruit 10.0.0.1:80,10.0.0.2:80']);
  answer('fruit.test', ['10.0.0.1', '10.0.0.2']);
  await advanceTo(5000);
  t.equal(published.length, 1, 'another order is no change');
  answer('fruit.test', ['10.0.0.3']);
  await advanceTo(10_000);
  t.same(published.slice(1), ['10000 fruit 10.0.0.3:80']);
  t.equal(count('updateAttempt'), 3);
  t.equal(count('updateSuccess'), 3);
  t.equal(count('updateNoRebuild'), 1);
});

t.test('names, ports and literal addresses of one cluster are told apart', async (t) => {
  const { update, answer, published } = make();
  answer('fruit.test', ['10.0.0.1']);
  answer('bread.test', ['10.0.1.1', '2001:db8::1']);
  await update(
    dnsCluster({
      endpoints: [named('fruit.test', 80), named('bread.test', 81), makeEndpoint('10.9.9.9'), named('fruit.test', 82)],
    }),
  );
  t.same(published, ['0 fruit 10.0.0.1:80,10.0.1.1:81,[2001:db8::1]:81,10.9.9.9:80,10.0.0.1:82']);
});

t.test('endpoints carry the name they were resolved from, unless they have another', async (t) => {
  let assignment: LoadAssignment | undefined;
  const discovery = new DnsDiscovery({
    onAssignment: (_, resolved) => {
      assignment = resolved;
    },
    resolverFor: () => ({ resolve: async () => ({ kind: 'answered', ips: ['10.0.0.1'], ttlMs: null }) }),
    schedule: () => () => undefined,
  });
  const endpoints = [named('fruit.test'), { ...named('bread.test', 81), hostname: 'rye', weight: 5 }];
  discovery.update(new Map([['fruit', dnsCluster({ endpoints })]]));
  await settle();
  t.match(assignment!.localities[0]!.endpoints, onlyItems({ hostname: 'fruit.test' }, { hostname: 'rye', weight: 5 }));
});

t.test('nothing is published before every name was asked, a failed one included', async (t) => {
  const { update, answer, published, count } = make();
  answer('fruit.test', ['10.0.0.1']);
  await update(dnsCluster({ endpoints: [named('fruit.test'), named('lost.test')] }));
  t.same(published, ['0 fruit 10.0.0.1:80']);
  t.equal(count('updateFailure'), 1);
});

t.test('a cluster of literal addresses is published at once', async (t) => {
  const { update, published } = make();
  await update(dnsCluster({ endpoints: [makeEndpoint('10.0.0.1')] }));
  t.same(published, ['0 fruit 10.0.0.1:80']);
});

t.test('a failure keeps the last addresses and is repeated with exponential back-off and jitter', async (t) => {
  const { update, answer, fail, advanceTo, published, count, timers } = make(() => 0.5);
  answer('fruit.test', ['10.0.0.1']);
  await update(dnsCluster());
  fail('fruit.test');
  const attempts: number[] = [];
  for (let at = 5000; attempts.length < 5; at += 500) {
    const before = count('updateAttempt');
    await advanceTo(at);
    if (count('updateAttempt') > before) attempts.push(at);
  }
  t.same(attempts, [5000, 5500, 6500, 8000, 9500], 'half of 1, 2, 3 and 3 seconds apart');
  t.equal(published.length, 1);
  answer('fruit.test', ['10.0.0.1']);
  await advanceTo(11_000);
  t.same(
    [...timers].map(({ atMs }) => atMs),
    [16_000],
    'after a success the usual rate is back',
  );
  fail('fruit.test');
  await advanceTo(16_000);
  t.same(
    [...timers].map(({ atMs }) => atMs),
    [16_500],
    'and the back-off begins again',
  );
});

t.test('without a range of its own a failure is repeated at a fixed rate', async (t) => {
  const { update, timers } = make(() => 0);
  await update(dnsCluster({ dns: { failureRefreshBaseMs: 4000, failureRefreshMaxMs: 4000 } }));
  t.same(
    [...timers].map(({ atMs }) => atMs),
    [4000],
  );
});

t.test('the next attempt is due by rate or time to live, plus jitter', async (t) => {
  const due = async (dns: Partial<DnsOptions>, ttlMs: number | null) => {
    const { update, answer, timers } = make(() => 0.5);
    answer('fruit.test', ['10.0.0.1'], ttlMs);
    await update(dnsCluster({ dns }));
    return [...timers][0]!.atMs;
  };
  t.equal(await due({}, 30_000), 5000);
  t.equal(await due({ respectTtl: true }, 30_000), 30_000);
  t.equal(await due({ respectTtl: true }, 0), 5000, 'a time to live of 0 would be a busy loop');
  t.equal(await due({ respectTtl: true }, null), 5000);
  t.equal(await due({ jitterMs: 1000 }, null), 5500);
});

t.test('a name without addresses empties a strict cluster and keeps the address of a logical one', async (t) => {
  for (const [kind, expected] of [
    ['strict-dns', ['5000 fruit ']],
    ['logical-dns', []],
  ] as const) {
    const { update, answer, advanceTo, published, count } = make();
    answer('fruit.test', ['10.0.0.1']);
    await update(dnsCluster({ kind }));
    answer('fruit.test', []);
    await advanceTo(5000);
    t.same(published.slice(1), expected, kind);
    t.equal(count('updateEmpty'), 1);
  }
});

t.test('a logical cluster has the first address only, and moves with it', async (t) => {
  const { update, answer, advanceTo, published } = make();
  answer('fruit.test', ['10.0.0.2', '10.0.0.1']);
  await update(dnsCluster({ kind: 'logical-dns' }));
  answer('fruit.test', ['10.0.0.1', '10.0.0.2']);
  await advanceTo(5000);
  t.same(published, ['0 fruit 10.0.0.2:80', '5000 fruit 10.0.0.1:80']);
});

t.test('clusters are started and stopped with the configuration', async (t) => {
  const { update, answer, advanceTo, published, timers, discovery, holdsStats } = make();
  for (const name of ['fruit.test', 'bread.test']) answer(name, ['10.0.0.1']);
  const fruit = dnsCluster({ name: 'fruit' });
  const bread = dnsCluster({ name: 'bread', endpoints: [named('bread.test')] });
  await update(fruit, makeCluster({ name: 'static' }));
  await update(fruit, bread);
  t.same(published, ['0 fruit 10.0.0.1:80', '0 bread 10.0.0.1:80'], 'what did not change goes on');
  await advanceTo(1000);
  await update(structuredClone({ ...fruit, connectTimeoutMs: 1 }), bread);
  t.equal(published.length, 2, 'other settings are not the resolution’s business');
  await update({ ...fruit, ...dnsCluster({ dns: { refreshRateMs: 100 } }) });
  t.same(published.slice(2), ['1000 fruit 10.0.0.1:80'], 'another discovery begins anew');
  t.same(
    [...timers].map(({ atMs }) => atMs),
    [1100],
    'and the removed cluster is silent',
  );
  t.equal(holdsStats(), 1, 'its counters are given back');
  discovery.stop();
  t.same([timers.size, holdsStats()], [0, 0]);
});

t.test('an answer that comes after the cluster was removed is dropped', async (t) => {
  const { discovery, answer, published, timers } = make();
  answer('fruit.test', ['10.0.0.1']);
  discovery.update(new Map([['fruit', dnsCluster()]]));
  discovery.update(new Map());
  await settle();
  t.same(published, []);
  t.equal(timers.size, 0);
});

t.test('a cluster asks the servers it names', async (t) => {
  const { update, servers } = make();
  await update(dnsCluster({ dns: { resolvers: [{ kind: 'ip', ip: '10.0.0.53', port: 5353 }] } }));
  t.same(servers, ['10.0.0.53:5353']);
});

t.test('by itself it waits by timers of Node, as long as they can be, which keep no process alive', async (t) => {
  const begun = t.capture(globalThis, 'setTimeout', setTimeout);
  const cleared = t.capture(globalThis, 'clearTimeout', clearTimeout);
  const asked = Promise.withResolvers<void>();
  let questions = 0;
  const resolve = async (): Promise<QueryOutcome> => {
    if (++questions === 3) asked.resolve();
    return { kind: 'answered', ips: ['10.0.0.1'], ttlMs: null };
  };
  const discovery = new DnsDiscovery({ onAssignment: () => undefined, resolverFor: () => ({ resolve }) });
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  const update = (refreshRateMs: number) => {
    discovery.update(new Map([['app', dnsCluster({ dns: { refreshRateMs } })]]));
  };
  update(1);
  await asked.promise;
  await settle();
  const isWaitedFor = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length > 1;
  t.notOk(isWaitedFor(), 'beside the one that keeps this test alive');
  begun();
  update(2 ** 31);
  await settle();
  t.same(
    begun().map(({ args }) => args[1]),
    [2 ** 31 - 1],
  );
  cleared();
  discovery.stop();
  t.equal(cleared().length, 1, 'what is stopped asks nobody any more');
});
