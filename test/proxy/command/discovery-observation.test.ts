import t from 'tap';
import type { DynamicState, SourceStatus, TypeStatus } from '../../../config/dynamic-state.ts';
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
import { routeConfigurationOf } from '../../support/on-demand-mesh.ts';

const prefix = 'type.googleapis.com/envoy.config.';
const clusters = `${prefix}cluster.v3.Cluster`;
const assignments = `${prefix}endpoint.v3.ClusterLoadAssignment`;
const routes = `${prefix}route.v3.RouteConfiguration`;
const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;
/** Its virtual hosts arrive apart. */
const tableOf = (name: string) => ({ ...routeConfigurationOf(name, false), hasVirtualHostSource: true }) as const;
const idle: DynamicState = {
  sources: () => [],
  warming: () => ({ clusters: 0, listeners: 0 }),
  resources: () => [],
};
const refusal = { name: 'b', problems: [{ path: '', message: 'wrong' }] };

function observe(snapshot: Partial<Snapshot> = {}) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const waiting: (() => void)[] = [];
  let turn: (() => void)[] | null = null;
  /** What it leads to in a later turn comes behind all of it. */
  const inOneTurn = (act: () => void): void => {
    const later: (() => void)[] = [];
    turn = later;
    act();
    turn = null;
    for (const callback of later) callback();
  };
  const observation = new DiscoveryObservation({
    stats: new DiscoveryStats(stats, store),
    snapshotStats: new SnapshotStats(stats, 1),
    snapshot: () => ({ ...emptySnapshot, ...snapshot }),
    clock: () => 5000,
    onRead: () => undefined,
    schedule: (delayMs, callback) => {
      if (delayMs > 0) waiting.push(callback);
      else if (turn === null) callback();
      else turn.push(callback);
    },
  });
  /** What was written, by name. */
  const shown = (): ReadonlyMap<string, string> => {
    const lines = [...statsText(store, { ...everyStat, usedOnly: true })].join('').trimEnd().split('\n');
    return new Map(lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]));
  };
  return { observation, shown, stats, waiting, inOneTurn };
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

const response = {
  version: 'v1',
  names: ['a', 'b'],
  removed: [],
  isWhole: false,
  hasNamed: true,
  refused: [],
  bytes: 10,
  applyMs: 1,
};
const whole = { ...response, isWhole: true, hasNamed: false };

t.test('a whole response is one success, or one rejection', async (t) => {
  const { observation, shown } = observe();
  observation.onSubscribe(clusters, '*');
  observation.onResponse({ ...whole, typeUrl: clusters });
  observation.onResponse({ ...whole, typeUrl: clusters, refused: [refusal] });
  t.equal(
    shown().get('cluster_manager.cds.update_attempt'),
    '3',
    'one to begin with, and each outcome leads to the next',
  );
  t.equal(shown().get('cluster_manager.cds.update_success'), '1');
  t.equal(shown().get('cluster_manager.cds.update_rejected'), '1');
  t.equal(shown().get('cluster_manager.cds.version_text'), '"v1"');
  t.notOk(shown().has('cluster_manager.odcds.update_success'));
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
  const passTime = () => waiting.splice(0).forEach((callback) => void callback());
  for (const name of ['a', 'b', 'c']) observation.onSubscribe(typeUrl, name);
  observation.onResponse({ ...response, typeUrl, names: ['a', 'b', 'unasked'], refused: [refusal] });
  observation.onFetchTimeout(typeUrl, 'c');
  const counted = { 'sds.a.update_success': '1', 'sds.b.update_rejected': '1', 'sds.c.init_fetch_timeout': '1' };
  t.match(Object.fromEntries(shown()), counted);
  passTime();
  t.match(Object.fromEntries(shown()), counted);
  t.notOk(shown().has('sds.unasked.update_success'), 'what was sent without being asked for');
  observation.onKeyRotationFailed('b');
  t.equal(shown().get('sds.b.key_rotation_failed'), '1');
  for (const name of ['a', 'c']) observation.onUnsubscribe(typeUrl, name);
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
  observation.onSubscribe(clusters, '*');
  observation.onPublished(delta, emptySnapshot);
  observation.onPublished(noChange, emptySnapshot);
  observation.onReload(routes, 'a');
  observation.onResponse({ ...response, typeUrl: routes, names: ['a'] });
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
  const ofFile = { kind: 'connected', sinceMs: 0, controlPlane: '' } as const;
  const connected = { kind: 'connected', sinceMs: 0, controlPlane: 'istiod-1' } as const;
  let connection: SourceStatus['connection'] = connected;
  observation.follow({
    ...idle,
    sources: () => [
      { name: 'ads', target: 'x', protocol: 'delta', connection, types: [] },
      { name: 'file', target: 'x', protocol: 'file', connection: ofFile, types: [] },
    ],
  });
  observation.onConnection(connection);
  t.equal(shown().get('control_plane.connected_state'), '1');
  t.equal(shown().get('control_plane.identifier'), '"istiod-1"');
  connection = { kind: 'waiting', untilMs: 1, lastError: 'gone' };
  observation.onConnection(connection);
  t.equal(shown().get('control_plane.connected_state'), '0', 'a file is none');
});

t.test('routes count for a listener that waits for them as soon as it serves', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'outbound' });
  const listeners = new Map<string, Listener>();
  const { observation, shown, waiting } = observe({ listeners });
  observation.onSubscribe(routes, 'a');
  observation.onResponse({ ...response, typeUrl: routes });
  waiting.shift()!();
  t.equal(shown().get('http.outbound.rds.a.update_success'), undefined);
  listeners.set('web', httpListener('web', config));
  waiting.shift()!();
  t.equal(shown().get('http.outbound.rds.a.update_success'), '1');
  t.equal(shown().get('http.outbound.rds.a.update_attempt'), '2');
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
  const before = { ...emptySnapshot, clusters: new Map([['a', clusterOf('a', [])]]) };
  const delta = { generation: 2, clusters: { set: [], removed: ['a'] }, assignments: nothing, listeners: nothing };
  observation.onPublished({ ...delta, routes: nothing, secrets: nothing }, before);
  t.equal(shown().has('cluster.a.update_success'), false);
  t.equal(shown().get('cluster_manager.cluster_removed'), '1');
});

t.test('routes that leave after their listener has moved on are not counted any more', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'outbound' });
  const listeners = new Map<string, Listener>([['web', httpListener('web', config)]]);
  const { observation, shown } = observe({ listeners });
  observation.onResponse({ ...response, names: ['a'], typeUrl: routes });
  t.equal(shown().get('http.outbound.rds.a.update_success'), '1');
  listeners.clear();
  observation.onUnsubscribe(routes, 'a');
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

const hosts = `${prefix}route.v3.VirtualHost`;
const filters = `${prefix}core.v3.TypedExtensionConfig`;
const runtime = 'type.googleapis.com/envoy.service.runtime.v3.Runtime';

/** Stats of this prefix that are not 0. */
function counted(shown: ReadonlyMap<string, string>, place: string): Readonly<Record<string, string>> {
  const own = [...shown].filter(([name, value]) => name.startsWith(place) && /^[1-9]\d*$/.test(value));
  const timeless = own.filter(([name]) => !/version$|time(_ms)?$/.test(name));
  return Object.fromEntries(timeless.map(([name, value]) => [name.slice(place.length), value]));
}

t.test('clusters on demand count apart from all clusters, and both for what concerns both', async (t) => {
  const { observation, shown } = observe();
  observation.onSubscribe(clusters, 'a');
  observation.onSubscribe(clusters, 'b');
  observation.onResponse({ ...response, typeUrl: clusters });
  observation.onResponse({ ...response, typeUrl: clusters, names: [], removed: ['b'] });
  t.same(counted(shown(), 'cluster_manager.odcds.'), { update_attempt: '4', update_success: '2' });
  t.notOk(shown().has('cluster_manager.cds.update_attempt'));
  observation.onSubscribe(clusters, '*');
  observation.onResponse({ ...whole, typeUrl: clusters });
  observation.onResponse({ ...whole, hasNamed: true, typeUrl: clusters, refused: [refusal] });
  t.same(counted(shown(), 'cluster_manager.odcds.'), {
    update_attempt: '5',
    update_rejected: '1',
    update_success: '2',
  });
  t.same(counted(shown(), 'cluster_manager.cds.'), { update_attempt: '3', update_rejected: '1', update_success: '1' });
});

t.test('virtual hosts count by route configuration, from when its listener serves', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'in' });
  const listeners = new Map<string, Listener>();
  const { observation, shown, waiting, inOneTurn } = observe({ listeners, routes: new Map([['a', tableOf('a')]]) });
  observation.onSubscribe(routes, 'a');
  observation.onSubscribe(hosts, '*');
  inOneTurn(() => {
    observation.onReload(hosts, 'a/one');
    observation.onReload(hosts, 'a/two');
  });
  observation.onResponse({ ...response, typeUrl: hosts, names: ['a/one', 'a/two', 'other/x'] });
  waiting.shift()!();
  t.same(counted(shown(), 'http.in.rds.vhds.'), {});
  listeners.set('web', httpListener('web', config));
  waiting.shift()!();
  const place = 'http.in.rds.vhds.a.';
  t.same(counted(shown(), place), { config_reload: '1', update_attempt: '2', update_success: '1' });
  observation.onSubscribe(hosts, 'a/host');
  observation.onResponse({
    ...response,
    typeUrl: hosts,
    names: ['a/b', 'a/c'],
    refused: [{ ...refusal, name: 'a/b' }],
  });
  observation.onResponse({ ...response, typeUrl: hosts, names: [], removed: ['a/c'] });
  observation.onFetchTimeout(hosts, '*');
  t.same(counted(shown(), place), {
    config_reload: '1',
    init_fetch_timeout: '1',
    update_attempt: '6',
    update_rejected: '1',
    update_success: '2',
  });
  t.match([...shown().keys()].join('\n'), /^http\.in\.rds\.a\.update_attempt$/m, 'beside those of the routes');
  observation.onUnsubscribe(routes, 'a');
  t.same(counted(shown(), 'http.in.rds.'), {});
});

t.test(
  'filters that are discovered count by their place, and a refusal or a time-out is a failure of theirs',
  async (t) => {
    const { observation, shown } = observe();
    observation.onDiscoveredFilter('http-filter', 'b');
    observation.onDiscoveredFilter('http-filter', 'b');
    observation.onSubscribe(filters, 'b');
    observation.onReload(filters, 'b');
    observation.onResponse({ ...response, typeUrl: filters });
    observation.onResponse({ ...response, typeUrl: filters, refused: [refusal] });
    observation.onFetchTimeout(filters, 'b');
    observation.onDiscoveredFilter('network-filter', 'b');
    observation.onFilterConflict('network-filter', 'b');
    t.same(counted(shown(), 'extension_config_discovery.'), {
      'http_filter.b.config_fail': '2',
      'http_filter.b.config_reload': '1',
      'http_filter.b.init_fetch_timeout': '1',
      'http_filter.b.update_attempt': '4',
      'http_filter.b.update_rejected': '1',
      'http_filter.b.update_success': '1',
      'network_filter.b.config_conflict': '1',
      'network_filter.b.update_attempt': '1',
    });
    observation.onUnsubscribe(filters, 'b');
    t.same(counted(shown(), 'extension_config_discovery.'), {});
  },
);

t.test('layers of the runtime count together', async (t) => {
  const { observation, shown } = observe();
  for (const name of ['a', 'b']) observation.onSubscribe(runtime, name);
  observation.onResponse({ ...response, typeUrl: runtime });
  t.same(counted(shown(), 'runtime.'), { update_attempt: '4', update_success: '2' });
});

t.test('a source that fails is a failure of all that is subscribed to there', async (t) => {
  const config = managerOf([], { routes: { kind: 'rds', name: 'a', source }, statPrefix: 'in' });
  const listeners = new Map([['web', httpListener('web', config)]]);
  const { observation, shown } = observe({ listeners, routes: new Map([['a', tableOf('a')]]) });
  const type = (typeUrl: string, isWildcard: boolean, ...subscribed: readonly string[]): TypeStatus => {
    return {
      typeUrl,
      isWildcard,
      subscribed,
      heldCount: 0,
      version: '',
      responses: 0,
      bytesReceived: 0,
      lastApplyMs: 0,
    };
  };
  const connection = { kind: 'connecting' } as const;
  const types = [
    type(clusters, true, 'x', 'y'),
    type(routes, false, 'a'),
    type(hosts, true, 'a/x'),
    type(runtime, false),
  ];
  const ads = { name: 'ads', target: 'x', protocol: 'delta', connection, types } as const;
  observation.follow({
    ...idle,
    sources: () => [ads, { ...ads, name: 'other', types: [type(runtime, false, 'layer')] }],
  });
  observation.onSubscribe(routes, 'a');
  observation.onFailure('ads');
  const failed = [...shown()].flatMap(([name, value]) =>
    name.endsWith('.update_failure') && value === '1' ? name : [],
  );
  t.same(failed.sort(), [
    'cluster_manager.cds.update_failure',
    'cluster_manager.odcds.update_failure',
    'http.in.rds.a.update_failure',
    'http.in.rds.vhds.a.update_failure',
  ]);
});
