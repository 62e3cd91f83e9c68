import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { DiscoveryStats, type Subscription } from '../../../proxy/telemetry/discovery-stats.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { statsText } from '../../../proxy/telemetry/stats-text.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const success = { kind: 'success', version: 'v1', atMs: 1_700_000_000_000, durationMs: 7 } as const;

function fixture() {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(-1, message));
  /** The stats in Envoy's text that have been written, by name. */
  const shown = () => {
    const text = [...statsText(store, { ...everyStat, usedOnly: true })].join('');
    return new Map(
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
    );
  };
  return { store, stats, discovery: new DiscoveryStats(stats, store), shown };
}

t.test('each subscription counts under its own name', (t) => {
  const { stats, discovery, shown } = fixture();
  stats.block(clusterStats, 'outbound|80||a');
  const subscriptions: Readonly<Record<string, Subscription>> = {
    'cluster_manager.cds.': { kind: 'cds' },
    'listener_manager.lds.': { kind: 'lds' },
    'cluster.outbound|80||a.': { kind: 'eds', cluster: 'outbound|80||a' },
    'http.outbound_0.0.0.0_80.rds.80.': { kind: 'rds', statPrefix: 'outbound_0.0.0.0_80', routeConfiguration: '80' },
    'http.outbound_0.0.0.0_80.rds.vhds.80.': {
      kind: 'vhds',
      statPrefix: 'outbound_0.0.0.0_80',
      routeConfiguration: '80',
    },
    'cluster_manager.odcds.': { kind: 'odcds' },
    'sds.default.': { kind: 'sds', secret: 'default' },
    'runtime.': { kind: 'rtds' },
    'extension_config_discovery.http_filter.own.name.': { kind: 'http-filter', name: 'own.name' },
    'extension_config_discovery.network_filter.own.name.': { kind: 'network-filter', name: 'own.name' },
  };
  for (const [prefix, subscription] of Object.entries(subscriptions)) {
    discovery.record(subscription, { kind: 'attempt' });
    discovery.record(subscription, success);
    for (let step = 0; step < 2; step++) discovery.record(subscription, { kind: 'rejected' });
    for (let step = 0; step < 3; step++) discovery.record(subscription, { kind: 'failure' });
    for (let step = 0; step < 4; step++) discovery.record(subscription, { kind: 'init-fetch-timeout' });
    const own = [...shown()].filter(([name]) => name.startsWith(prefix));
    const values = new Map(own.map(([name, value]) => [name.slice(prefix.length), value]));
    t.match(Object.fromEntries(values), {
      update_attempt: '11',
      update_success: '1',
      update_rejected: '2',
      update_failure: '3',
      init_fetch_timeout: '4',
      update_time: '1700000000000',
      version_text: '"v1"',
      version: /^[1-9]\d+$/,
      update_duration: /P50/,
    });
  }
  t.end();
});

t.test('equal versions are equal numbers', (t) => {
  const { discovery, shown } = fixture();
  const versions = ['a', 'b', 'a'].map((version) => {
    discovery.record({ kind: 'cds' }, { ...success, version });
    return shown().get('cluster_manager.cds.version');
  });
  t.equal(versions[0], versions[2]);
  t.not(versions[0], versions[1]);
  t.end();
});

t.test('members are counted for clusters in use only, and nothing stays of what is let go', (t) => {
  const { stats, discovery, shown } = fixture();
  const subscription = { kind: 'eds', cluster: 'a' } as const;
  const names = () => [...shown().keys()].filter((name) => name.startsWith('cluster.a.'));
  discovery.record(subscription, success);
  t.same(names(), []);
  stats.block(clusterStats, 'a');
  discovery.record(subscription, success);
  t.ok(names().includes('cluster.a.update_success'));
  discovery.release(subscription);
  discovery.release(subscription);
  t.same(names(), []);
  t.end();
});

t.test('the control plane is shown with its name', (t) => {
  const { store, discovery, shown } = fixture();
  discovery.setControlPlane(2, 'istiod-1');
  discovery.setPendingRequests(3);
  discovery.countRateLimit();
  t.match(Object.fromEntries(shown()), {
    'control_plane.connected_state': '1',
    'control_plane.identifier': '"istiod-1"',
    'control_plane.pending_requests': '3',
    'control_plane.rate_limit_enforced': '1',
  });
  discovery.setControlPlane(0, '');
  t.equal(shown().get('control_plane.connected_state'), '0');
  t.match([...prometheusText(store, everyStat, [])].join(''), 'envoy_control_plane_connected_state{} 0');
  t.end();
});

t.test('a proxy without a control plane says nothing of one', (t) => {
  const { store, discovery } = fixture();
  const text = () => [...statsText(store, everyStat)].join('');
  t.notMatch(text(), /control_plane/);
  discovery.setControlPlane(0, '');
  t.match(text(), /^control_plane\.connected_state: 0$/m);
  t.match(text(), /^control_plane\.identifier: ""$/m);
  t.end();
});

t.test('a subscription has the text of its version from the start, empty until something came', (t) => {
  const { store, discovery } = fixture();
  const texts = () => [...store.texts()].map(([name, { value }]) => `${name}=${value}`);
  discovery.record({ kind: 'lds' }, { kind: 'attempt' });
  discovery.record({ kind: 'cds' }, success);
  t.same(texts(), ['cluster_manager.cds.version_text=v1', 'listener_manager.lds.version_text=']);
  t.end();
});
