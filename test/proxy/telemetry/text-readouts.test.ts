import t from 'tap';
import { controlPlaneStats, DiscoveryStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { textReadouts } from '../../../proxy/telemetry/text-readouts.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

function storeWithTexts(): StatsStore {
  const store = new StatsStore();
  const discovery = new DiscoveryStats(new WorkerStats((message) => store.accept(-1, message)), store);
  const success = { kind: 'success', version: 'v"1', atMs: 0, durationMs: 0 } as const;
  for (const secret of ['b', 'a']) discovery.record({ kind: 'sds', secret }, success);
  discovery.record({ kind: 'lds' }, { kind: 'attempt' });
  store.setText('control_plane.identifier', 'istiod', {
    scope: controlPlaneStats.scope,
    names: [],
    name: 'identifier',
  });
  return store;
}

t.test('texts are gauges of value 0 with the text as a label, as Envoy writes them', (t) => {
  t.equal(
    textReadouts(storeWithTexts(), everyStat),
    `# TYPE envoy_control_plane_identifier gauge
envoy_control_plane_identifier{text_value="istiod"} 0
# TYPE envoy_listener_manager_lds_version_text gauge
envoy_listener_manager_lds_version_text{text_value=""} 0
# TYPE envoy_sds_version_text gauge
envoy_sds_version_text{envoy_xds_resource_name="a",text_value="v\\"1"} 0
envoy_sds_version_text{envoy_xds_resource_name="b",text_value="v\\"1"} 0
`,
  );
  t.end();
});

t.test('a filter is for the full name, and an empty text was never written', (t) => {
  const store = storeWithTexts();
  const names = (query: Partial<typeof everyStat>) =>
    [...textReadouts(store, { ...everyStat, ...query }).matchAll(/^envoy_\w+/gm)].map(([name]) => name);
  t.same(names({ accepts: (name) => name.includes('sds.a') }), ['envoy_sds_version_text']);
  t.same(names({ usedOnly: true }), [
    'envoy_control_plane_identifier',
    'envoy_sds_version_text',
    'envoy_sds_version_text',
  ]);
  t.end();
});
