import fc from 'fast-check';
import t from 'tap';
import { idleSeriesMs, RequestMetrics } from '../../../proxy/telemetry/request-metrics.ts';
import { requestStats } from '../../../proxy/telemetry/request-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const { requestsTotal, requestDurationMs } = requestStats;

function fixture(maxSeries = 100) {
  const store = new StatsStore();
  const stats = new WorkerStats((message) => store.accept(0, message));
  const metrics = new RequestMetrics({ stats, maxSeries });
  const names = () => store.groups().map((group) => group.names.join(' '));
  const total = () => store.groups().reduce((sum, group) => sum + group.value(requestsTotal), 0);
  return { store, metrics, names, total };
}

const get = (route: string) => ({ service: 'reviews', route, method: 'GET' });

t.test('requests are counted by service, route, method, status class and gRPC status', (t) => {
  const { store, metrics, names } = fixture();
  const series = metrics.seriesFor(get('/reviews/*'));
  series.record(200, -1, 3);
  series.record(204, -1, 5);
  series.record(503, -1, 1);
  series.record(200, 14, 2);
  series.record(0, -1, 9);
  t.strictSame(names(), [
    'reviews /reviews/* GET 2xx ',
    'reviews /reviews/* GET 2xx 14',
    'reviews /reviews/* GET 5xx ',
    'reviews /reviews/* GET none ',
  ]);
  const group = store.get(requestStats, 'reviews', '/reviews/*', 'GET', '2xx', '')!;
  t.equal(group.value(requestsTotal), 2);
  t.equal(group.histogram(requestDurationMs).sum, 8);
  t.end();
});

t.test('what a client invents makes no series of its own', (t) => {
  const { metrics, names } = fixture();
  for (const method of ['BREW', 'WHEN', 'get']) metrics.seriesFor({ ...get('/'), method }).record(200, -1, 1);
  for (const status of [600, 999, 42, 1e9]) metrics.seriesFor(get('/')).record(status, -1, 1);
  for (const grpc of [17, 1e6, -5]) metrics.seriesFor(get('/')).record(200, grpc, 1);
  t.strictSame(names(), ['reviews / GET 2xx ', 'reviews / GET none ', 'reviews / _OTHER 2xx ']);
  t.end();
});

t.test('routes of an old and a new configuration that are called the same share their series', (t) => {
  const { metrics, names, total } = fixture();
  metrics.seriesFor(get('/')).record(200, -1, 1);
  metrics.seriesFor(get('/')).record(200, -1, 1);
  t.strictSame(names(), ['reviews / GET 2xx ']);
  t.equal(total(), 2);
  t.end();
});

t.test('what finds no room is counted as other, by how it ended, until something was idle for a minute', (t) => {
  const { metrics, names } = fixture(2);
  const series = ['a', 'b', 'c'].map((route) => metrics.seriesFor(get(route)));
  metrics.cleanUp(0);
  for (const each of series) each.record(200, -1, 1);
  series[2]!.record(500, -1, 1);
  const full = ['other other other 2xx ', 'other other other 5xx ', 'reviews a GET 2xx ', 'reviews b GET 2xx '];
  t.strictSame(names(), full);
  metrics.cleanUp(10_000);
  series[2]!.record(200, -1, 1);
  metrics.cleanUp(60_000);
  t.strictSame(names(), full, 'idle for less than a minute');
  series[1]!.record(200, -1, 1);
  series[2]!.record(200, -1, 1);
  metrics.cleanUp(70_000);
  t.strictSame(names(), ['other other other 2xx ', 'other other other 5xx ', 'reviews b GET 2xx ']);
  series[2]!.record(200, -1, 1);
  t.strictSame(names().slice(-1), ['reviews c GET 2xx ']);
  t.end();
});

t.test('a series that is idle for a quarter of an hour is given up, and begins again when it is used', (t) => {
  const { metrics, names } = fixture();
  const idle = metrics.seriesFor(get('idle'));
  const busy = metrics.seriesFor(get('busy'));
  metrics.cleanUp(0);
  idle.record(200, -1, 1);
  for (let nowMs = 10_000; nowMs < idleSeriesMs + 10_000; nowMs += 10_000) {
    busy.record(200, -1, 1);
    metrics.cleanUp(nowMs);
  }
  t.strictSame(names(), ['reviews busy GET 2xx ', 'reviews idle GET 2xx ']);
  metrics.cleanUp(idleSeriesMs + 10_000);
  t.strictSame(names(), ['reviews busy GET 2xx ']);
  idle.record(200, -1, 1);
  t.equal(names().length, 2);
  t.end();
});

t.test('no request is lost and the number of series stays bounded, whatever comes', (t) => {
  const request = fc.record({
    route: fc.nat(30),
    status: fc.constantFrom(0, 200, 404, 503),
    grpc: fc.constantFrom(-1, 0, 14),
    afterMs: fc.constantFrom(0, 0, 5000, 70_000, idleSeriesMs),
  });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (requests, maxSeries) => {
      const store = new StatsStore();
      let gone = 0;
      store.observe({
        onGone: (group) => {
          gone += group.value(requestsTotal);
        },
        onReset: () => {},
      });
      const stats = new WorkerStats((message) => store.accept(0, message));
      const metrics = new RequestMetrics({ stats, maxSeries });
      const series = Array.from({ length: 31 }, (_, route) => metrics.seriesFor(get(String(route))));
      let nowMs = 0;
      for (const { route, status, grpc, afterMs } of requests) {
        series[route]!.record(status, grpc, 1);
        nowMs += afterMs;
        metrics.cleanUp(nowMs);
        const own = store.groups().filter(({ names }) => names[0] !== 'other');
        if (own.length > maxSeries) return false;
      }
      const shown = store.groups().reduce((sum, group) => sum + group.value(requestsTotal), 0);
      return shown + gone === requests.length;
    }),
  );
  t.end();
});
