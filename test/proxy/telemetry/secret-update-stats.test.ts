import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import type { Listener } from '../../../config/listener.ts';
import type { Secret } from '../../../config/secret.ts';
import { emptySnapshot, type Snapshot, type SnapshotDelta } from '../../../config/snapshot.ts';
import type { SecretReference } from '../../../config/tls.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { SecretUpdateStats } from '../../../proxy/telemetry/secret-update-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { clusterTlsFactoryStats, listenerTlsFactoryStats } from '../../../proxy/telemetry/tls-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { clusterOf, httpListener, managerOf } from '../../support/data-plane.ts';
import { downstreamTls, trustSecret, upstreamTls } from '../../support/tls-config-fixtures.ts';

const discovered = (key: string): SecretReference => ({
  key,
  name: key,
  source: { kind: 'sds', config: { kind: 'ads', initialFetchTimeoutMs: 0 } },
});

/** A filter chain for each list of certificates; roots are `ca`. */
function secured(name: string, ...chains: readonly (readonly SecretReference[])[]): Listener {
  const listener = httpListener(name, managerOf([]));
  const [chain] = listener.filterChains;
  const filterChains = chains.map((certificates) => ({
    ...chain!,
    tls: downstreamTls({ certificates, validation: { secret: discovered('ca') } }),
  }));
  return { ...listener, statPrefix: name, filterChains };
}

function fixture() {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(-1, message));
  const updates = new SecretUpdateStats(stats, store);
  let snapshot: Snapshot = emptySnapshot;
  const publish = (change: {
    readonly secrets?: readonly string[];
    readonly listeners?: readonly Listener[];
    readonly clusters?: readonly Cluster[];
    readonly removed?: readonly string[];
  }) => {
    const { secrets = [], listeners = [], clusters = [], removed = [] } = change;
    const delta: SnapshotDelta = {
      generation: snapshot.generation + 1,
      listeners: { set: listeners.map((each) => [each.name, each]), removed },
      clusters: { set: clusters.map((each) => [each.name, each]), removed },
      assignments: { set: [], removed: [] },
      routes: { set: [], removed: [] },
      secrets: { set: secrets.map((key): [string, Secret] => [key, trustSecret(key, {})]), removed: [] },
    };
    updates.onPublished(delta, snapshot);
    const kept = <T>(before: ReadonlyMap<string, T>, set: readonly (readonly [string, T])[]) =>
      new Map([...before, ...set].filter(([name]) => !removed.includes(name)));
    snapshot = {
      ...snapshot,
      generation: delta.generation,
      listeners: kept(snapshot.listeners, delta.listeners.set),
      clusters: kept(snapshot.clusters, delta.clusters.set),
    };
  };
  const { sslContextUpdateBySds } = listenerTlsFactoryStats;
  return {
    stats,
    publish,
    ofListener: (name: string) => store.get(listenerTlsFactoryStats, name)?.value(sslContextUpdateBySds),
    ofCluster: (name: string) =>
      store.get(clusterTlsFactoryStats, name)?.value(clusterTlsFactoryStats.sslContextUpdateBySds),
  };
}

t.test('each state of a secret counts for each filter chain that has it, the first one too', async (t) => {
  const { publish, ofListener } = fixture();
  const listener = secured('l', [discovered('own')], [discovered('own'), discovered('other')]);
  publish({ listeners: [listener], secrets: ['own', 'other', 'ca'] });
  t.equal(ofListener('l'), 5);
  publish({ secrets: ['other'] });
  t.equal(ofListener('l'), 6);
  publish({ secrets: ['nobody has this'] });
  t.equal(ofListener('l'), 6);
});

t.test('a listener that finds its secrets there has not been told of any', async (t) => {
  const { publish, ofListener } = fixture();
  publish({ listeners: [secured('first', [discovered('own')])], secrets: ['own', 'ca'] });
  publish({ listeners: [secured('second', [discovered('own')])] });
  t.equal(ofListener('second'), undefined);
  publish({ secrets: ['own'] });
  t.same([ofListener('first'), ofListener('second')], [3, 1]);
  publish({ removed: ['first'] });
  t.equal(ofListener('first'), undefined, 'it is gone');
  publish({ secrets: ['own'] });
  t.same([ofListener('first'), ofListener('second')], [undefined, 2]);
});

t.test('what is written in place, or in the bootstrap, is not discovered', async (t) => {
  const { publish, ofListener } = fixture();
  const fixed = { ...discovered('fixed'), source: { kind: 'static' } } as const;
  publish({ listeners: [secured('l', [fixed])], secrets: ['fixed', 'ca'] });
  t.equal(ofListener('l'), 1, 'the roots are');
});

t.test('of clusters those count that are in use, once for each transport', async (t) => {
  const { stats, publish, ofCluster } = fixture();
  const tls = upstreamTls({ certificates: [discovered('own')] });
  const transport = { kind: 'tls', tls } as const;
  const match = { name: 'm', match: {}, transport } as unknown as Cluster['transportMatches'][number];
  const called = clusterOf('called', [], { transport, transportMatches: [match] });
  publish({ clusters: [called, clusterOf('idle', [], { transport })], secrets: ['own'] });
  t.equal(ofCluster('called'), undefined, 'before its first request');
  stats.block(clusterStats, 'called');
  publish({ secrets: ['own'] });
  t.equal(ofCluster('called'), 2);
  t.equal(ofCluster('idle'), undefined);
  publish({ removed: ['called'] });
  t.equal(ofCluster('called'), undefined);
});

t.test('what is counted goes with the name that it was counted under', async (t) => {
  const { stats, publish, ofListener, ofCluster } = fixture();
  const transport = { kind: 'tls', tls: upstreamTls({ certificates: [discovered('own')] }) } as const;
  const cluster = clusterOf('c', [], { transport });
  for (const name of ['c', 'renamed']) stats.block(clusterStats, name);
  const listener = secured('l', [discovered('own')]);
  publish({ listeners: [listener], clusters: [cluster], secrets: ['own'] });
  t.same([ofListener('l'), ofCluster('c')], [1, 1]);
  const statName = 'renamed';
  publish({ listeners: [{ ...listener, statPrefix: statName }], clusters: [{ ...cluster, statName }] });
  t.same([ofListener('l'), ofCluster('c')], [undefined, undefined]);
  publish({ secrets: ['own'] });
  t.same([ofListener('l'), ofCluster('c')], [undefined, undefined]);
  t.same([ofListener(statName), ofCluster(statName)], [1, 1]);
});
