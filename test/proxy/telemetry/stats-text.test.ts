import t from 'tap';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { clusterDiscoveryStats, clusterStats, countUpstreamResponse } from '../../../proxy/telemetry/cluster-stats.ts';
import { controlPlaneStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { tracingStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerWorkerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { everyStat } from '../../../proxy/telemetry/stats-query.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { pieceLength, statsJson, statsText } from '../../../proxy/telemetry/stats-text.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const identifierPlace = { scope: controlPlaneStats.scope, names: [], name: 'identifier' };

const used = { ...everyStat, usedOnly: true };

function fixture() {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  return { store, worker };
}

t.test('used stats are lines of name and value: text, numbers by name, then histograms', (t) => {
  const { store, worker } = fixture();
  const cluster = worker.block(clusterStats, 'a');
  worker.block(clusterDiscoveryStats, 'a').inc(clusterDiscoveryStats.updateSuccess);
  worker.block(listenerWorkerStats, '10.0.0.1:80', '0').inc(listenerWorkerStats.downstreamCxTotal);
  countUpstreamResponse(cluster, clusterStats, 200);
  cluster.inc(clusterStats.upstreamCxActive);
  cluster.record(clusterStats.upstreamRqTime, 4);
  store.setText('control_plane.identifier', 'istiod', identifierPlace);
  takeAllSteps(store.flushIntervals());
  cluster.record(clusterStats.upstreamRqTime, 4);
  const quantiles = ['0', '25', '50', '75', '90', '95', '99', '99.5', '99.9', '100'];
  t.equal(
    [...statsText(store, used)].join(''),
    [
      'control_plane.identifier: "istiod"',
      'cluster.a.update_success: 1',
      'cluster.a.upstream_cx_active: 1',
      'cluster.a.upstream_rq_200: 1',
      'cluster.a.upstream_rq_2xx: 1',
      'cluster.a.upstream_rq_completed: 1',
      'listener.10.0.0.1_80.worker_0.downstream_cx_total: 1',
      `cluster.a.upstream_rq_time: ${quantiles.map((quantile) => `P${quantile}(4,4)`).join(' ')}`,
      '',
    ].join('\n'),
  );
  t.end();
});

t.test('what was never recorded says so, and an interval without values is nan', (t) => {
  const { store, worker } = fixture();
  const cluster = worker.block(clusterStats, 'a');
  const accepts = (name: string) => name === 'cluster.a.upstream_rq_time';
  t.equal(
    [...statsText(store, { ...everyStat, accepts })].join(''),
    'cluster.a.upstream_rq_time: No recorded values\n',
  );
  cluster.record(clusterStats.upstreamRqTime, 1);
  t.match([...statsText(store, { ...everyStat, accepts })].join(''), /: P0\(nan,1\) P25\(nan,1\) /);
  t.end();
});

t.test('without a filter every stat of a scope is shown', (t) => {
  const { store, worker } = fixture();
  worker.block(tracingStats, 'ingress');
  t.strictSame([...statsText(store, everyStat)].join('').split('\n'), [
    'http.ingress.tracing.client_enabled: 0',
    'http.ingress.tracing.health_check: 0',
    'http.ingress.tracing.not_traceable: 0',
    'http.ingress.tracing.random_sampling: 0',
    'http.ingress.tracing.service_forced: 0',
    '',
  ]);
  t.end();
});

t.test('a filter sees full names, those of status codes too', (t) => {
  const { store, worker } = fixture();
  for (const name of ['a', 'b']) countUpstreamResponse(worker.block(clusterStats, name), clusterStats, 503);
  const accepts = (name: string) => /b\.upstream_rq_503$/.test(name);
  t.equal([...statsText(store, { ...everyStat, accepts })].join(''), 'cluster.b.upstream_rq_503: 1\n');
  t.end();
});

t.test('JSON has the same values, and null where text has nan', (t) => {
  const { store, worker } = fixture();
  const cluster = worker.block(clusterStats, 'a"b');
  cluster.inc(clusterStats.upstreamRqTotal);
  cluster.record(clusterStats.upstreamRqTime, 2);
  store.setText('text', 'of "it"', identifierPlace);
  const { stats } = JSON.parse([...statsJson(store, used)].join(''));
  t.strictSame(stats.slice(0, 2), [
    { name: 'text', value: 'of "it"' },
    { name: 'cluster.a"b.upstream_rq_total', value: 1 },
  ]);
  t.strictSame(stats[2].histograms.supported_quantiles, [0, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100]);
  const [time] = stats[2].histograms.computed_quantiles;
  t.equal(time.name, 'cluster.a"b.upstream_rq_time');
  t.strictSame(time.values[0], { cumulative: 2, interval: null });
  t.equal(time.values.length, 10);
  t.end();
});

t.test('an empty store is empty text and valid JSON', (t) => {
  const { store } = fixture();
  t.strictSame([...statsText(store, everyStat)], []);
  t.strictSame(JSON.parse([...statsJson(store, everyStat)].join('')), {
    stats: [],
  });
  t.end();
});

t.test('large output comes in pieces of bounded size', (t) => {
  const { store, worker } = fixture();
  for (let number = 0; number < 200; number++) worker.block(clusterStats, `cluster-${number}`);
  for (const pieces of [[...statsText(store, everyStat)], [...statsJson(store, everyStat)]]) {
    t.ok(pieces.length > 5);
    t.ok(pieces.every((piece) => piece.length < pieceLength + 16 * 1024));
  }
  t.end();
});
