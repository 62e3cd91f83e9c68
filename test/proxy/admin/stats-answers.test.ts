import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { controlPlaneStats } from '../../../proxy/telemetry/discovery-stats.ts';
import { SeriesBudget } from '../../../proxy/telemetry/series-budget.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { type AdminFixture, startAdmin } from '../../support/admin-fixtures.ts';
import { makeAssignment, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { parseOpenMetrics } from '../../support/openmetrics-parser.ts';
import { parseExposition } from '../../support/prometheus-parser.ts';

async function adminWithStats(t: { teardown: (after: () => void) => void }): Promise<AdminFixture> {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const block = admin.worker.block(clusterStats, 'a');
  block.inc(clusterStats.upstreamRqTotal);
  block.set(clusterStats.upstreamRqActive, 2);
  block.record(clusterStats.upstreamRqTime, 3);
  return admin;
}

t.test('type, filter and invert_filter choose; names are matched anywhere', async (t) => {
  const admin = await adminWithStats(t);
  const { text } = await admin.get('/stats?usedonly&type=Counters&filter=a.upstream');
  t.equal(text, 'cluster.a.upstream_rq_total: 1\n');
  t.equal(
    (await admin.get('/stats?usedonly&type=Gauges&filter=^cluster[.]')).text,
    'cluster.a.upstream_rq_active: 2\n',
  );
  t.equal(
    (await admin.get('/stats?usedonly&type=Gauges&filter=^(server|runtime|listener_manager|cluster_)&invert_filter'))
      .text,
    'cluster.a.upstream_rq_active: 2\n',
  );
  t.match((await admin.get('/stats?usedonly&type=Histograms')).text, /^cluster\.a\.upstream_rq_time: P0\(nan,3\) /);
  t.equal((await admin.get('/stats?type=TextReadouts')).text, '');
});

t.test('histograms are shown by buckets or in detail', async (t) => {
  const admin = await adminWithStats(t);
  const ask = async (form: string) =>
    (await admin.get(`/stats?filter=upstream_rq_time$&usedonly&histogram_buckets=${form}`)).text;
  t.match(
    await ask('cumulative'),
    /^cluster\.a\.upstream_rq_time: B0\.5\(0,0\) B1\(0,0\) B5\(0,1\) B10\(0,1\) .* B1\.8e\+06\(0,1\) B3\.6e\+06\(0,1\)\n$/,
  );
  t.match(await ask('disjoint'), / B5\(0,1\) B10\(0,0\) /);
  t.match(
    await ask('detailed'),
    /^cluster\.a\.upstream_rq_time:\n {2}totals=3,0\.125:1\n {2}intervals=\n {2}summary=P0\(nan,3\) /,
  );
});

t.test('the JSON of each form is the one of Envoy', async (t) => {
  const admin = await adminWithStats(t);
  const ask = async (form: string) =>
    JSON.parse((await admin.get(`/stats?format=json&filter=upstream_rq_time$&usedonly&histogram_buckets=${form}`)).text)
      .stats[0].histograms;
  const summary = await ask('summary');
  const values = summary.supported_quantiles.map(() => ({ cumulative: 3, interval: null }));
  t.matchOnly(summary.computed_quantiles, [{ name: 'cluster.a.upstream_rq_time', values }]);
  t.equal(values.length, 10);
  t.match((await ask('cumulative'))[0].buckets[2], { upper_bound: 5, interval: 0, cumulative: 1 });
  t.match((await ask('disjoint'))[0].buckets[3], { upper_bound: 10, interval: 0, cumulative: 0 });
  t.match(await ask('detailed'), {
    details: onlyItems({ totals: onlyItems({ lower_bound: 3, width: 0.125, count: 1 }), intervals: noItems }),
  });
});

t.test('histogram_buckets=none, or without a value, asks for nothing, as in Envoy', async (t) => {
  const admin = await adminWithStats(t);
  for (const path of ['/stats', '/stats?format=json', '/stats/prometheus']) {
    const answerTo = (query: string) =>
      admin.get(`${path}${path.includes('?') ? '&' : '?'}filter=upstream_rq_time$&${query}`);
    const { status, text } = await answerTo('usedonly');
    t.equal(status, 200);
    t.match(text, 'upstream_rq_time');
    t.match(await answerTo('usedonly&histogram_buckets=none'), { status: 200, text });
    t.match(await answerTo('usedonly&histogram_buckets='), { status: 200, text });
  }
});

t.test('what cannot be asked is 400 and says what can', async (t) => {
  const admin = await adminWithStats(t);
  t.match(await admin.get('/stats?filter=('), { status: 400, text: /^Invalid re2 regex: / });
  t.match(await admin.get('/stats?type=none'), { status: 400, text: 'invalid &type= param' });
  t.match(await admin.get('/stats?format=html'), { status: 400, text: /^usage: \/stats\?format=/ });
  t.match(await admin.get('/stats?histogram_buckets=some'), {
    status: 400,
    text: /^usage: \/stats\?histogram_buckets=/,
  });
  t.match(await admin.get('/stats/prometheus?histogram_buckets=detailed'), { status: 400 });
});

t.test('Prometheus gets buckets, or quantiles when it asks for a summary', async (t) => {
  const admin = await adminWithStats(t);
  const filter = 'usedonly&filter=upstream_rq_time';
  t.match((await admin.get(`/stats/prometheus?${filter}`)).text, /^# TYPE envoy_cluster_upstream_rq_time histogram\n/);
  const summary = (await admin.get(`/stats/prometheus?${filter}&histogram_buckets=summary`)).text;
  t.match(summary, /^# TYPE envoy_cluster_upstream_rq_time summary\n.*\{envoy_cluster_name="a",quantile="0"\} NaN\n/);
  t.match(summary, /_sum\{envoy_cluster_name="a"\} 3\n.*_count\{envoy_cluster_name="a"\} 1\n$/);
  t.equal(
    (await admin.get(`/stats?format=prometheus&${filter}`)).text,
    (await admin.get(`/stats/prometheus?${filter}`)).text,
  );
});

t.test('who asks for OpenMetrics gets it, with its type; all others get the older text', async (t) => {
  const admin = await adminWithStats(t);
  const ask = async (accept: string) => {
    const answer = await fetch(`${admin.origin}/stats/prometheus?usedonly`, { headers: { accept } });
    return { type: answer.headers.get('content-type'), text: await answer.text() };
  };
  const newer = await ask('application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2');
  t.equal(newer.type, 'application/openmetrics-text; version=1.0.0; charset=utf-8');
  t.ok(parseOpenMetrics(newer.text).has('envoy_cluster_upstream_rq_time'));
  const older = await ask('*/*');
  t.match(older.type, /^text\/plain/);
  t.ok(parseExposition(older.text).has('envoy_cluster_upstream_rq_time'));
});

t.test('Prometheus gets the names that the budget allows, /stats gets all', async (t) => {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  for (const name of ['a', 'b', 'c']) stats.block(clusterStats, name).inc(clusterStats.upstreamRqTotal);
  const budget = new SeriesBudget({ store, stats, maxSeries: 2, clock: () => 0 });
  const admin = await startAdmin({ options: { store, budget } });
  t.teardown(() => admin.stop());
  const filter = 'usedonly&filter=upstream_rq_total';
  t.equal(
    (await admin.get(`/stats/prometheus?${filter}`)).text,
    '# TYPE envoy_cluster_upstream_rq_total counter\n' +
      'envoy_cluster_upstream_rq_total{envoy_cluster_name="a"} 1\n' +
      'envoy_cluster_upstream_rq_total{envoy_cluster_name="other"} 2\n',
  );
  t.match((await admin.get(`/stats?${filter}`)).text, /cluster\.a\..*\ncluster\.b\..*\ncluster\.c\..*\n/);
});

t.test('the process itself is in the statistics', async (t) => {
  const admin = await adminWithStats(t);
  admin.state.onApplied(1, []);
  const { text } = await admin.get('/stats?filter=^server.(live|state|concurrency|version)$');
  t.equal(text, 'server.concurrency: 1\nserver.live: 1\nserver.state: 0\nserver.version: 1002003\n');
});

t.test('Prometheus is given texts when it asks for them, and numbers of all types in any case', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const place = { scope: controlPlaneStats.scope, names: [], name: 'identifier' };
  admin.store.setText('control_plane.identifier', 'istiod', place);
  const identifier = 'envoy_control_plane_identifier{text_value="istiod"} 0';
  t.notMatch((await admin.get('/stats/prometheus')).text, identifier);
  const openMetrics = { headers: { accept: 'application/openmetrics-text' } };
  const answer = await fetch(`${admin.origin}/stats/prometheus?text_readouts`, openMetrics);
  t.match(answer.headers.get('content-type'), /^text\/plain/);
  const text = await answer.text();
  t.match(text, identifier);
  t.match(text, /^envoy_server_live\{\} \d$/m);
  t.equal((await admin.get('/stats/prometheus?type=TextReadouts')).text.includes('envoy_server_live'), true);
  t.equal((await admin.get('/stats?type=TextReadouts')).text, 'control_plane.identifier: "istiod"\n');
});

function manyClusters(count: number) {
  const names = Array.from({ length: count }, (_, index) => `c${index}`);
  return {
    clusters: new Map(names.map((name) => [name, clusterOf(name, [])])),
    assignments: new Map(names.map((name) => [name, makeAssignment([makeLocality([makeEndpoint('10.0.0.1')])])])),
  };
}

t.test('a cluster has statistics before its first request, in Prometheus its members within the budget', async (t) => {
  const admin = await startAdmin({ snapshot: manyClusters(1000) });
  t.teardown(admin.stop);
  const { text } = await admin.get('/stats?filter=[.]c7[.]');
  t.match(text, /^cluster\.c7\.membership_total: 1$/m);
  t.match(text, /^cluster\.c7\.upstream_rq_total: 0$/m);
  const metrics = parseExposition((await admin.get('/stats/prometheus')).text);
  const total = metrics.get('envoy_cluster_membership_total')!;
  t.equal(total.samples.length, 666, 'three series each of 2,000');
  t.notOk(metrics.has('envoy_cluster_upstream_rq_total'), 'zeros are no series');
});

t.test('others are answered while a filter goes through the statistics of 10,000 clusters', async (t) => {
  const admin = await startAdmin({ snapshot: manyClusters(10_000) });
  t.teardown(admin.stop);
  const ended: string[] = [];
  const ask = async (path: string) => {
    const { text } = await admin.get(path);
    ended.push(path);
    return text;
  };
  const slow = ask('/stats?filter=nothing');
  await ask('/ready');
  t.equal(await slow, '');
  t.same(ended, ['/ready', '/stats?filter=nothing']);
});
