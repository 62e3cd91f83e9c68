import t from 'tap';
import type { DynamicState, ResourceStatus, SourceStatus } from '../../../config/dynamic-state.ts';
import type { Listener } from '../../../config/listener.ts';
import { emptySnapshot, type Snapshot } from '../../../config/snapshot.ts';
import { DiscoveryObservation } from '../../../proxy/command/discovery-observation.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { DiscoveryStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { SnapshotStats } from '../../../proxy/telemetry/snapshot-stats.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { statsText } from '../../../proxy/telemetry/stats-text.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { makeAssignment, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { clusterOf, httpListener, managerOf } from '../../support/data-plane.ts';

const prefix = 'type.googleapis.com/envoy.config.';
const clusters = `${prefix}cluster.v3.Cluster`;
const assignments = `${prefix}endpoint.v3.ClusterLoadAssignment`;
const routes = `${prefix}route.v3.RouteConfiguration`;
const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;
const idle: DynamicState = {
  sources: () => [],
  warming: () => ({ clusters: 0, listeners: 0 }),
  resources: () => [],
};
const refusal = { name: 'b', problems: [{ path: '', message: 'wrong' }] };

function statusOf(name: string): ResourceStatus {
  return { name, version: '', lastUpdatedMs: 0, state: 'active', document: () => undefined };
}

function observe(snapshot: Partial<Snapshot> = {}) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const waiting: (() => void)[] = [];
  const observation = new DiscoveryObservation({
    stats: new DiscoveryStats(stats, store),
    snapshotStats: new SnapshotStats(stats, 1),
    snapshot: () => ({ ...emptySnapshot, ...snapshot }),
    clock: () => 5000,
    onRead: () => undefined,
    schedule: (delayMs, callback) => void (delayMs === 0 ? callback() : waiting.push(callback)),
  });
  /** What was written, by name. */
  const shown = (): ReadonlyMap<string, string> => {
    const lines = [...statsText(store, { ...everyStat, usedOnly: true })].join('').trimEnd().split('\n');
    return new Map(lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
  };
  return { observation, shown, stats, waiting };
}

const nothing = { set: [], removed: [] };
const noChange = {
  generation: 1,
  listeners: nothing,
  clusters: nothing,
  assignments: nothing,
  routes: nothing,
  secrets: nothing,
};

function membersAt(ports: readonly number[]) {
  return makeAssignment([makeLocality(ports.map((port) => makeEndpoint('127.0.0.1', { port })))]);
}

const response = { version: 'v1', names: ['a', 'b'], refused: [], bytes: 10, applyMs: 1 };

t.test('a whole response is one success, or one rejection', async (t) => {
  const { observation, shown } = observe();
  observation.onRequest(clusters);
  observation.onResponse({ ...response, typeUrl: clusters });
  observation.onResponse({ ...response, typeUrl: clusters, refused: [refusal] });
  t.equal(shown().get('cluster_manager.cds.update_attempt'), '1');
  t.equal(shown().get('cluster_manager.cds.update_success'), '1');
  t.equal(shown().get('cluster_manager.cds.update_rejected'), '1');
  t.equal(shown().get('cluster_manager.cds.version_text'), '"v1"');
});

t.test('named resources count for who uses them', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'outbound' });
  const listeners: ReadonlyMap<string, Listener> = new Map([['web', httpListener('web', config)]]);
  const { observation, shown, stats } = observe({
    listeners,
    clusters: new Map([
      ['a', clusterOf('a', [], { statName: 'alias' })],
      ['b', clusterOf('b', [])],
    ]),
  });
  for (const name of ['alias', 'b']) stats.block(clusterStats, name);
  observation.onResponse({ ...response, typeUrl: assignments, refused: [refusal] });
  observation.onResponse({ ...response, typeUrl: routes });
  t.equal(shown().get('cluster.alias.update_success'), '1');
  t.equal(shown().get('cluster.b.update_rejected'), '1');
  t.equal(shown().get('cluster.b.update_success') ?? '0', '0');
  t.equal(shown().get('http.outbound.rds.a.update_success'), '1');
});

t.test('secrets count under their names until nobody asks for them', async (t) => {
  const { observation, shown, waiting } = observe();
  const typeUrl = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret';
  const resources = new Map(['a', 'b', 'c'].map((name) => [name, statusOf(name)]));
  observation.follow({ ...idle, resources: (type) => (type === typeUrl ? [...resources.values()] : []) });
  const passTime = () => waiting.splice(0).forEach((callback) => void callback());
  observation.onResponse({ ...response, typeUrl, names: ['a', 'b', 'unasked'], refused: [refusal] });
  observation.onFetchTimeout(typeUrl, 'c');
  const counted = { 'sds.a.update_success': '1', 'sds.b.update_rejected': '1', 'sds.c.init_fetch_timeout': '1' };
  t.match(Object.fromEntries(shown()), counted);
  passTime();
  t.match(Object.fromEntries(shown()), counted);
  t.notOk(shown().has('sds.unasked.update_success'), 'what was sent without being asked for');
  for (const name of ['a', 'c']) resources.delete(name);
  const nothing = { set: [], removed: [] };
  const unchanged = { generation: 2, clusters: nothing, assignments: nothing, listeners: nothing, routes: nothing };
  observation.onPublished({ ...unchanged, secrets: { set: [], removed: ['ads a'] } }, emptySnapshot);
  passTime();
  t.notOk(shown().has('sds.a.update_success'));
  t.notOk(shown().has('sds.c.init_fetch_timeout'), 'one that never came');
  t.ok(shown().has('sds.b.update_rejected'));
});

t.test('members that come and go are counted for clusters in use that a control plane tells of', async (t) => {
  const eds = { kind: 'eds', source, serviceName: 'a' } as const;
  const found = new Map([
    ['a', clusterOf('a', [], { discovery: eds })],
    ['idle', clusterOf('idle', [], { discovery: eds })],
    ['dns', clusterOf('dns', [])],
  ]);
  const { observation, shown, stats } = observe();
  for (const name of ['a', 'dns']) stats.block(clusterStats, name);
  let before: Snapshot = { ...emptySnapshot, clusters: found };
  const publish = (name: string, ...ports: readonly number[]) => {
    const assignments = { set: [[name, membersAt(ports)] as const], removed: [] };
    observation.onPublished({ ...noChange, assignments }, before);
    before = { ...before, assignments: new Map([...before.assignments, ...assignments.set]) };
  };
  for (const name of ['a', 'idle', 'dns']) publish(name, 80, 81);
  t.equal(shown().get('cluster.a.membership_change'), '1');
  publish('a', 81, 80);
  t.equal(shown().get('cluster.a.membership_change'), '1', 'the same in another order');
  publish('a', 80, 82);
  publish('a');
  t.equal(shown().get('cluster.a.membership_change'), '3');
  t.notOk(shown().has('cluster.idle.membership_change'));
  t.notOk(shown().has('cluster.dns.membership_change'));
});

t.test('another configuration of clusters or routes is a reload', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'in' });
  const { observation, shown } = observe({ listeners: new Map([['web', httpListener('web', config)]]) });
  const delta = { ...noChange, clusters: { set: [['a', clusterOf('a', [])] as const], removed: [] } };
  observation.onPublished(delta, emptySnapshot);
  t.notOk(shown().has('cluster_manager.cds.config_reload'), 'clusters of the bootstrap');
  observation.onRequest(clusters);
  observation.onPublished(delta, emptySnapshot);
  observation.onPublished(noChange, emptySnapshot);
  observation.onResponse({ ...response, typeUrl: routes, names: ['a'] });
  observation.onResponse({ ...response, typeUrl: routes, names: ['a'], refused: [{ ...refusal, name: 'a' }] });
  for (const place of ['cluster_manager.cds', 'http.in.rds.a']) {
    t.equal(shown().get(`${place}.config_reload`), '1');
    t.equal(shown().get(`${place}.config_reload_time_ms`), '5000');
  }
});

t.test('what did not come in time is counted', async (t) => {
  const { observation, shown } = observe();
  observation.onFetchTimeout(clusters, '*');
  t.equal(shown().get('cluster_manager.cds.init_fetch_timeout'), '1');
});

t.test('a control plane is connected while any of its streams is', async (t) => {
  const { observation, shown } = observe();
  const connected = { kind: 'connected', sinceMs: 0, controlPlane: 'istiod-1' } as const;
  let connection: SourceStatus['connection'] = connected;
  observation.follow({
    ...idle,
    sources: () => [{ name: 'ads', target: 'x', protocol: 'delta', connection, types: [] }],
  });
  observation.onConnection(connection);
  t.equal(shown().get('control_plane.connected_state'), '1');
  t.equal(shown().get('control_plane.identifier'), '"istiod-1"');
  connection = { kind: 'waiting', untilMs: 1, lastError: 'gone' };
  observation.onRequest(clusters);
  observation.onConnection(connection);
  t.equal(shown().get('control_plane.connected_state'), '0');
  t.equal(shown().get('cluster_manager.cds.update_failure'), '1');
  t.equal(shown().get('listener_manager.lds.update_failure'), undefined, 'listeners were not asked for');
});

t.test('routes count for a listener that waits for them as soon as it serves', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'outbound' });
  const listeners = new Map<string, Listener>();
  const { observation, shown, waiting } = observe({ listeners });
  const held = statusOf('a');
  observation.follow({ ...idle, resources: (typeUrl) => (typeUrl === routes ? [held] : []) });
  observation.onResponse({ ...response, typeUrl: routes });
  waiting.shift()!();
  t.equal(shown().get('http.outbound.rds.a.update_success'), undefined);
  listeners.set('web', httpListener('web', config));
  waiting.shift()!();
  t.equal(shown().get('http.outbound.rds.a.update_success'), '1');
  t.same(waiting, [], 'and of b nobody ever asks');
});

t.test('what is warming is counted once for many responses', async (t) => {
  const { observation, shown, waiting } = observe();
  let asked = 0;
  observation.follow({
    ...idle,
    warming: () => {
      asked++;
      return { clusters: 1, listeners: 2 };
    },
  });
  for (let count = 0; count < 100; count++) observation.onResponse({ ...response, typeUrl: assignments });
  t.equal(asked, 0);
  t.equal(waiting.length, 1);
  waiting[0]!();
  t.equal(shown().get('cluster_manager.warming_clusters'), '1');
  t.equal(shown().get('listener_manager.total_listeners_warming'), '2');
  observation.follow(idle);
  t.equal(waiting.length, 2, 'and again as long as anything is warming');
  waiting[1]!();
  t.equal(shown().get('cluster_manager.warming_clusters') ?? '0', '0');
  t.equal(waiting.length, 2);
});

t.test('counters of what left the configuration leave with it', async (t) => {
  const { observation, shown, stats } = observe({ clusters: new Map([['a', clusterOf('a', [])]]) });
  stats.block(clusterStats, 'a');
  observation.onResponse({ ...response, names: ['a'], typeUrl: assignments });
  t.equal(shown().get('cluster.a.update_success'), '1');
  const nothing = { set: [], removed: [] };
  const before = { ...emptySnapshot, clusters: new Map([['a', clusterOf('a', [])]]) };
  const delta = { generation: 2, clusters: { set: [], removed: ['a'] }, assignments: nothing, listeners: nothing };
  observation.onPublished({ ...delta, routes: nothing, secrets: nothing }, before);
  t.equal(shown().has('cluster.a.update_success'), false);
  t.equal(shown().get('cluster_manager.cluster_removed'), '1');
});

t.test('routes that leave after their listener has moved on are not counted any more', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'outbound' });
  const { observation, shown } = observe({ listeners: new Map([['web', httpListener('web', config)]]) });
  observation.onResponse({ ...response, names: ['a'], typeUrl: routes });
  t.equal(shown().get('http.outbound.rds.a.update_success'), '1');
  const nothing = { set: [], removed: [] };
  const unchanged = { generation: 2, clusters: nothing, assignments: nothing, listeners: nothing };
  observation.onPublished({ ...unchanged, secrets: nothing, routes: { set: [], removed: ['a'] } }, emptySnapshot);
  t.equal(shown().has('http.outbound.rds.a.update_success'), false);
});

t.test('a listener that cannot be opened is counted', async (t) => {
  const { observation, shown } = observe();
  observation.onListenFailure();
  t.equal(shown().get('listener_manager.listener_create_failure'), '1');
});

t.test('listeners that are updated in place are counted', async (t) => {
  const { observation, shown } = observe();
  observation.onUpdatedInPlace(3);
  t.equal(shown().get('listener_manager.listener_in_place_updated'), '3');
});
