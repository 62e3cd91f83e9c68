import t from 'tap';
import { clusterStats, countUpstreamResponse } from '../../../proxy/telemetry/cluster-stats.ts';
import { IdleGroup } from '../../../proxy/telemetry/idle-group.ts';
import { prometheusText } from '../../../proxy/telemetry/prometheus.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

t.test('of a group that nobody uses gauges are exported, and nothing that was counted', (t) => {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(0, message)).block(clusterStats, 'a');
  block.inc(clusterStats.upstreamCxActive);
  block.record(clusterStats.upstreamRqTime, 5);
  countUpstreamResponse(block, clusterStats, 200);
  const group = store.get(clusterStats, 'a')!;
  const source = { groups: () => [new IdleGroup(group, group)] };
  const text = [...prometheusText(source, { ...everyStat, usedOnly: true }, [])].join('');
  t.equal(
    text,
    '# TYPE envoy_cluster_upstream_cx_active gauge\nenvoy_cluster_upstream_cx_active{envoy_cluster_name="a"} 1\n',
  );
  t.notMatch(
    [...prometheusText(source, everyStat, [])].join(''),
    / (counter|histogram|summary)$/m,
    'no zeros of it either',
  );
  t.end();
});

t.test('gauges that are 0 end too, but for those of its members', (t) => {
  const store = new StatsStore();
  const block = new WorkerStats((message) => store.accept(0, message)).block(clusterStats, 'a');
  const { upstreamCxActive, upstreamRqActive, membershipHealthy, maxHostWeight } = clusterStats;
  for (const index of [upstreamCxActive, upstreamRqActive, membershipHealthy]) block.set(index, 0);
  block.set(maxHostWeight, 3);
  const group = store.get(clusterStats, 'a')!;
  const idle = new IdleGroup(group, group);
  const told = () => [...clusterStats.scope.stats.keys()].filter((index) => idle.isShown(index) && idle.isUsed(index));
  t.same(told(), [maxHostWeight, membershipHealthy]);
  block.inc(upstreamRqActive);
  t.same(told(), [upstreamRqActive, maxHostWeight, membershipHealthy]);
  t.equal(idle.value(upstreamRqActive), 1);
  t.end();
});
