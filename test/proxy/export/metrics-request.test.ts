import fc from 'fast-check';
import t from 'tap';
import { SeriesMemory } from '../../../proxy/export/metrics-points.ts';
import { metricsRequests, type RequestFacts, type RequestShape } from '../../../proxy/export/metrics-request.ts';
import { bytesField, textField } from '../../../proxy/export/protobuf-field.ts';
import { clusterStats, countUpstreamResponse } from '../../../proxy/telemetry/cluster-stats.ts';
import type { Exemplar } from '../../../proxy/telemetry/exemplars.ts';
import { listenerWorkerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { requestStats } from '../../../proxy/telemetry/request-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { onlyItems } from '../../support/only-items.ts';
import { type CollectedMetric, metricsOf } from '../../support/otlp-metrics.ts';

const began = 1_700_000_000_000;
const shape: RequestShape = {
  countersAsDeltas: false,
  histogramsAsDeltas: false,
  tagsAsAttributes: true,
  usesTagExtractedNames: true,
  prefix: '',
  maxDataPointsPerRequest: 0,
};

class Fixture {
  readonly store = new StatsStore();
  readonly worker = new WorkerStats((message) => this.store.accept(0, message));
  readonly shape: RequestShape;
  readonly memory: SeriesMemory;
  exemplars: readonly (Exemplar | undefined)[] = [];

  constructor(given: Partial<RequestShape> = {}) {
    this.shape = { ...shape, ...given };
    const buckets = [{ prefix: '', bounds: [5, 10] }];
    this.memory = new SeriesMemory({ ...this.shape, buckets }, began);
  }

  requests(atMs = 1000): Uint8Array[] {
    const facts: RequestFacts = {
      resource: bytesField(1, Buffer.concat([textField(1, 'service.name'), bytesField(2, textField(1, 'shop'))])),
      scope: textField(1, 'outrigger'),
      wallMs: began + atMs,
      exemplarsOf: () => this.exemplars,
    };
    return [...metricsRequests(this.memory.take(this.store.groups(), began + atMs), this.shape, facts)];
  }

  metrics(atMs = 1000): readonly CollectedMetric[] {
    return this.requests(atMs).flatMap((request) => metricsOf(request));
  }
}

t.test('names and attributes are those of Envoy’s sink', (t) => {
  const fixture = new Fixture();
  const cluster = fixture.worker.block(clusterStats, 'outbound|80||ä');
  countUpstreamResponse(cluster, clusterStats, 503);
  fixture.worker.block(listenerWorkerStats, '[::]:80', '1').inc(listenerWorkerStats.downstreamCxTotal);
  const name = { 'envoy.cluster_name': 'outbound|80||ä' };
  t.strictSame(
    fixture.metrics().map(({ name, points }) => ({ name, attributes: points[0]!.attributes, value: points[0]!.value })),
    [
      { name: 'cluster.upstream_rq_completed', attributes: name, value: 1 },
      { name: 'cluster.upstream_rq_xx', attributes: { ...name, 'envoy.response_code_class': '5' }, value: 1 },
      { name: 'cluster.upstream_rq', attributes: { ...name, 'envoy.response_code': '503' }, value: 1 },
      {
        name: 'listener.worker_downstream_cx_total',
        attributes: { 'envoy.worker_id': '1', 'envoy.listener_address': '[__]_80' },
        value: 1,
      },
    ],
  );
  t.end();
});

t.test('counters are monotonic sums since the start, gauges are what is now', (t) => {
  const fixture = new Fixture();
  const cluster = fixture.worker.block(clusterStats, 'a');
  cluster.add(clusterStats.upstreamRqTotal, 7);
  cluster.set(clusterStats.upstreamCxActive, -2);
  cluster.set(clusterStats.maxHostWeight, 0.5);
  const [total, active, weight] = ['upstream_rq_total', 'upstream_cx_active', 'max_host_weight'].map((name) =>
    fixture.metrics().find((metric) => metric.name === `cluster.${name}`),
  );
  t.match(total, { kind: 'sum', isMonotonic: true, temporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE' });
  t.match(total!.points[0], { value: 7, startMs: began, timeMs: began + 1000 });
  t.match(active, { kind: 'gauge', points: onlyItems({ value: -2 }) });
  t.match(weight, { kind: 'gauge', points: onlyItems({ value: 0.5 }) });
  t.end();
});

t.test('histograms have explicit bounds, their unit, and exemplars', (t) => {
  const fixture = new Fixture();
  const names = ['reviews', '/', 'GET', '2xx', ''];
  const requests = fixture.worker.block(requestStats, ...names);
  for (const durationMs of [3, 7, 1000, 2000]) requests.record(requestStats.requestDurationMs, durationMs);
  const ids = { traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8) };
  fixture.exemplars = [undefined, { ...ids, durationMs: 7.5, wallMs: began + 10 }];
  const [metric] = fixture.metrics();
  t.match(metric, {
    name: 'outrigger.request_duration_milliseconds',
    kind: 'histogram',
    unit: 'ms',
    temporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
  });
  t.strictSame(metric!.points[0], {
    attributes: { grpc_status: '', status: '2xx', method: 'GET', route: '/', service: 'reviews' },
    startMs: began,
    timeMs: began + 1000,
    count: 4,
    value: 3010,
    bounds: [5, 10],
    counts: [1, 1, 2],
    exemplars: [{ ...ids, value: 7.5, timeMs: began + 10 }],
  });
  t.end();
});

t.test('tags can stay in names, behind a prefix', (t) => {
  const fixture = new Fixture({ usesTagExtractedNames: false, tagsAsAttributes: false, prefix: 'edge' });
  for (const name of ['a', 'b']) countUpstreamResponse(fixture.worker.block(clusterStats, name), clusterStats, 404);
  const metrics = fixture.metrics();
  t.strictSame(
    metrics.map(({ name }) => name),
    ['completed', '4xx', '404'].flatMap((what) => ['a', 'b'].map((name) => `edge.cluster.${name}.upstream_rq_${what}`)),
  );
  t.strictSame(metrics[0]!.points[0]!.attributes, {});
  t.end();
});

t.test('deltas are what came since the last export that arrived', (t) => {
  const fixture = new Fixture({ countersAsDeltas: true, histogramsAsDeltas: true });
  const cluster = fixture.worker.block(clusterStats, 'a');
  const count = () => {
    cluster.inc(clusterStats.upstreamRqTotal);
    cluster.record(clusterStats.upstreamRqTime, 7);
  };
  const exported = (atMs: number) =>
    fixture.metrics(atMs).map(({ points: [point] }) => [point!.count ?? point!.value, point!.startMs - began]);
  count();
  t.strictSame(exported(1000), [
    [1, 0],
    [1, 0],
  ]);
  count();
  t.strictSame(
    exported(2000),
    [
      [2, 0],
      [2, 0],
    ],
    'the first did not arrive',
  );
  fixture.memory.commit();
  count();
  t.strictSame(exported(3000), [
    [1, 2000],
    [1, 2000],
  ]);
  t.match(fixture.metrics(3000)[0], { temporality: 'AGGREGATION_TEMPORALITY_DELTA' });
  t.end();
});

t.test('a count that begins again says since when', (t) => {
  const fixture = new Fixture();
  const cluster = fixture.worker.block(clusterStats, 'a');
  cluster.add(clusterStats.upstreamRqTotal, 5);
  fixture.metrics(1000);
  fixture.memory.commit();
  fixture.store.resetCounters();
  cluster.inc(clusterStats.upstreamRqTotal);
  t.match(fixture.metrics(2000)[0]!.points, onlyItems({ value: 1, startMs: began + 1000 }));
  fixture.memory.commit();
  cluster.inc(clusterStats.upstreamRqTotal);
  t.match(fixture.metrics(3000)[0]!.points, onlyItems({ value: 2, startMs: began + 1000 }));
  fixture.worker.block(requestStats, 's', '/', 'GET', '2xx', '').inc(requestStats.requestsTotal);
  const requests = fixture.metrics(4000).find(({ name }) => name === 'outrigger.requests_total');
  t.match(requests!.points, onlyItems({ value: 1, startMs: began + 2000 }), 'a new series began after the last export');
  t.end();
});

t.test('a cluster that goes and comes again has counts from 0, since the export before', (t) => {
  const fixture = new Fixture();
  for (const atMs of [1000, 2000]) {
    const cluster = fixture.worker.block(clusterStats, 'a');
    cluster.add(clusterStats.upstreamRqTotal, 5);
    t.match(fixture.metrics(atMs)[0]!.points, onlyItems({ value: 5, startMs: began + (atMs === 1000 ? 0 : 1500) }));
    fixture.memory.commit();
    fixture.worker.release(cluster);
    t.strictSame(fixture.metrics(atMs + 500), []);
    fixture.memory.commit();
  }
  t.end();
});

t.test('a cluster that comes again between two exports has no counts of the one before', (t) => {
  for (const countersAsDeltas of [false, true]) {
    const fixture = new Fixture({ countersAsDeltas });
    const first = fixture.worker.block(clusterStats, 'a');
    first.add(clusterStats.upstreamRqTotal, 5);
    fixture.metrics(1000);
    fixture.memory.commit();
    fixture.worker.release(first);
    fixture.worker.block(clusterStats, 'a').add(clusterStats.upstreamRqTotal, 7);
    t.match(fixture.metrics(2000)[0]!.points, onlyItems({ value: 7, startMs: began + 1000 }));
  }
  t.end();
});

t.test('a request has as many data points as it may, and none is left out', (t) => {
  fc.assert(
    fc.property(fc.nat(12), fc.integer({ min: 1, max: 5 }), (clusters, maxDataPointsPerRequest) => {
      const fixture = new Fixture({ maxDataPointsPerRequest });
      for (let number = 0; number < clusters; number++) {
        const cluster = fixture.worker.block(clusterStats, String(number));
        cluster.inc(clusterStats.upstreamRqTotal);
        cluster.record(clusterStats.upstreamRqTime, number);
      }
      const sizes = fixture.requests().map((request) => metricsOf(request).flatMap(({ points }) => points).length);
      t.equal(sizes.length, Math.ceil((clusters * 2) / maxDataPointsPerRequest));
      t.ok(sizes.every((size) => size <= maxDataPointsPerRequest));
      t.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        clusters * 2,
      );
    }),
  );
  t.end();
});
