import fc from 'fast-check';
import t from 'tap';
import { takeAllSteps } from '../../../config/time-slice.ts';
import {
  circuitBreakerStats,
  clusterStats,
  countUpstreamResponse,
  routeStats,
} from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { idleSeriesMs, RequestMetrics } from '../../../proxy/telemetry/request-metrics.ts';
import { expiredRequestStats, requestStats } from '../../../proxy/telemetry/request-stats.ts';
import { SeriesBudget } from '../../../proxy/telemetry/series-budget.ts';
import type { SeriesGroup } from '../../../proxy/telemetry/stat-group.ts';
import type { StatBlock } from '../../../proxy/telemetry/stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const { upstreamRqTotal, upstreamRqCode, upstreamRqTime, upstreamCxActive } = clusterStats;

class Fixture {
  nowMs = 0;
  readonly store = new StatsStore();
  readonly main = new WorkerStats((message) => this.store.accept(-1, message));
  readonly workers = [0, 1].map(
    (number) => new WorkerStats((message) => this.store.accept(number, structuredClone(message))),
  );
  readonly budget: SeriesBudget;

  constructor(maxSeries: number) {
    this.budget = new SeriesBudget({ store: this.store, stats: this.main, maxSeries, clock: () => this.nowMs });
  }

  /** A cluster with one series. */
  cluster(name: string, worker = 0): StatBlock {
    const block = this.workers[worker]!.block(clusterStats, name);
    block.inc(upstreamRqTotal);
    return block;
  }

  /** `name value` of a stat in each group that has used it. */
  shown(index: number = upstreamRqTotal): string[] {
    const used = this.budget.groups().filter((group) => isOfClusters(group) && group.isUsed(index));
    return used.map((group) => `${group.names} ${group.value(index)}`);
  }
}

function isOfClusters({ scope }: SeriesGroup): boolean {
  return scope.template === clusterStats.scope.template && scope.stats.length === clusterStats.scope.stats.length;
}

t.test('within the budget every name has its series, as the store has them', (t) => {
  const { store, budget, workers } = new Fixture(100);
  for (const name of ['a', 'b']) countUpstreamResponse(workers[0]!.block(clusterStats, name), clusterStats, 200);
  workers[0]!.block(httpStats, 'ingress').inc(httpStats.downstreamRqTotal);
  t.strictSame(budget.groups(), store.groups());
  t.match(budget.report(), { series: 6, seriesOfOther: 0, names: 2, namesInOther: 0, displaced: 0 });
  t.end();
});

t.test('beyond it the least recently used name is displaced, and counts in other from then on', (t) => {
  const fixture = new Fixture(3);
  const [a, b] = ['a', 'b'].map((name) => fixture.cluster(name));
  fixture.shown();
  fixture.nowMs = 60_000;
  b!.inc(upstreamRqTotal);
  const c = fixture.cluster('c');
  const d = fixture.cluster('d');
  t.strictSame(fixture.shown(), ['b 2', 'c 1', 'other 1'], 'a has its 1 in the series that is gone');
  a!.inc(upstreamRqTotal);
  c.inc(upstreamRqTotal);
  d.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['b 2', 'c 2', 'other 3']);
  t.match(fixture.budget.report(), { series: 3, seriesOfOther: 1, names: 2, namesInOther: 2, displaced: 1 });
  t.end();
});

t.test('what displaced names counted since the last export is in other', (t) => {
  const fixture = new Fixture(3);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => fixture.cluster(name));
  t.strictSame(fixture.shown(), ['a 1', 'b 1', 'c 1']);
  a!.inc(upstreamRqTotal);
  b!.add(upstreamRqTotal, 2);
  c!.add(upstreamRqTotal, 4);
  c!.inc(clusterStats.upstreamCxTotal);
  t.strictSame(fixture.shown(), ['c 5', 'other 3']);
  t.end();
});

t.test('a name that returns goes on where its series stopped, and other keeps what it counted', (t) => {
  const fixture = new Fixture(2);
  const a = fixture.cluster('a');
  a.add(upstreamRqTotal, 9);
  const b = fixture.cluster('b');
  fixture.cluster('c');
  t.strictSame(fixture.shown(), ['a 10', 'other 2']);
  fixture.nowMs = 60_000;
  b.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['b 0', 'other 3'], 'a was idle for a minute');
  a.add(upstreamRqTotal, 5);
  b.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['b 1', 'other 8']);
  fixture.nowMs = 120_000;
  a.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['a 10', 'other 9']);
  a.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['a 11', 'other 9']);
  t.end();
});

t.test('a name that is in use is not displaced by another that is', (t) => {
  const fixture = new Fixture(2);
  const [a, b] = ['a', 'b'].map((name) => fixture.cluster(name));
  for (let minute = 0; minute < 5; minute++) {
    fixture.nowMs += 60_000;
    a!.inc(upstreamRqTotal);
    b!.add(upstreamRqTotal, 2);
    t.equal(fixture.shown()[0], `a ${minute + 2}`);
  }
  t.end();
});

t.test('other has histograms, status codes and gauges of all that is in it', (t) => {
  const fixture = new Fixture(1);
  for (const name of ['a', 'b']) {
    const block = fixture.cluster(name);
    block.record(upstreamRqTime, 7);
    block.incCode(upstreamRqCode, 200);
    block.inc(upstreamCxActive);
  }
  fixture.cluster('b').incCode(upstreamRqCode, 503);
  const other = fixture.budget.groups().find(isOfClusters)!;
  t.strictSame(other.names, ['other']);
  t.equal(other.histogram(upstreamRqTime).count, 2);
  t.equal(other.interval(upstreamRqTime).count, 0);
  takeAllSteps(fixture.store.flushIntervals());
  t.equal(other.interval(upstreamRqTime).count, 2);
  t.strictSame(
    [...other.codes(upstreamRqCode)],
    [
      [200, 2],
      [503, 1],
    ],
  );
  t.equal(other.value(upstreamCxActive), 2);
  t.end();
});

t.test('all groups of a cluster come and go together', (t) => {
  const fixture = new Fixture(3);
  fixture.cluster('a').add(upstreamRqTotal, 5);
  for (const name of ['b', 'c']) {
    const breaker = fixture.workers[0]!.block(circuitBreakerStats.default, name);
    breaker.set(circuitBreakerStats.default.cxOpen, 1);
    fixture.cluster(name);
  }
  const names = fixture.budget.groups().map((group) => `${group.names}`);
  t.strictSame(names, ['a', 'other', 'other']);
  t.end();
});

t.test('a cluster that is called other is counted there, always', (t) => {
  const fixture = new Fixture(100);
  fixture.cluster('other').add(upstreamRqTotal, 4);
  t.strictSame(fixture.shown(), ['other 5']);
  t.strictSame(fixture.shown(), ['other 5']);
  t.end();
});

t.test('a cluster that is gone takes its series with it, and leaves in other what it counted there', (t) => {
  const fixture = new Fixture(2);
  const a = fixture.cluster('a');
  fixture.cluster('c');
  const [b0, b1] = [0, 1].map((worker) => fixture.cluster('b', worker));
  b1!.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['b 3', 'other 2']);
  fixture.workers[0]!.release(a);
  fixture.workers[0]!.release(b0!);
  t.strictSame(fixture.shown(), ['b 3', 'other 2']);
  fixture.workers[1]!.release(b1!);
  t.strictSame(fixture.shown(), ['c 0', 'other 2'], 'c has its room');
  t.end();
});

t.test(
  'counts of a cluster that nobody used for a quarter of an hour end, its gauges stay, and it begins again at 0',
  (t) => {
    const fixture = new Fixture(100);
    const a = fixture.cluster('a');
    const b = fixture.cluster('b');
    a.inc(upstreamCxActive);
    countUpstreamResponse(a, clusterStats, 200);
    fixture.shown();
    fixture.nowMs = idleSeriesMs - 1;
    b.inc(upstreamRqTotal);
    t.strictSame(fixture.shown(), ['a 1', 'b 2']);
    fixture.nowMs = idleSeriesMs;
    t.strictSame(fixture.shown(), ['b 2']);
    t.strictSame(fixture.shown(upstreamRqCode), []);
    t.strictSame(fixture.shown(upstreamCxActive), ['a 1']);
    t.match(fixture.budget.report(), { series: 2, names: 2, idleNames: 1, namesInOther: 0, displaced: 0 });
    t.equal(fixture.store.get(clusterStats, 'a')!.value(upstreamRqTotal), 1, '/stats has what was counted');
    a.add(upstreamRqTotal, 5);
    t.strictSame(fixture.shown(), ['a 5', 'b 2']);
    a.inc(upstreamRqTotal);
    t.strictSame(fixture.shown(), ['a 6', 'b 2']);
    t.end();
  },
);

t.test(
  'an idle route and an idle TCP proxy leave nothing, and what an idle cluster has is what is counted of it',
  (t) => {
    const fixture = new Fixture(100);
    const [worker] = fixture.workers;
    const cluster = fixture.cluster('a');
    for (const index of [upstreamCxActive, clusterStats.upstreamRqActive, clusterStats.membershipHealthy]) {
      cluster.set(index, 0);
    }
    cluster.record(upstreamRqTime, 5);
    worker!.block(routeStats, 'host', 'route').inc(routeStats.upstreamRqTotal);
    const tcp = worker!.block(tcpStats, 'db');
    tcp.inc(tcpStats.downstreamCxTotal);
    tcp.set(tcpStats.upstreamFlushActive, 0);
    const exported = () =>
      fixture.budget.groups().flatMap((group) => {
        const used = [...group.scope.stats.keys()].filter((index) => group.isShown(index) && group.isUsed(index));
        return used.map((index) => group.prefix + group.scope.stats[index]!.name);
      });
    t.equal(exported().length, 8);
    t.equal(fixture.budget.report().series, 8);
    fixture.nowMs = idleSeriesMs;
    t.strictSame(exported(), ['cluster.a.membership_healthy']);
    t.match(fixture.budget.report(), { series: 1, idleNames: 3 });
    tcp.inc(tcpStats.downstreamCxTotal);
    t.strictSame(exported(), [
      'cluster.a.membership_healthy',
      'tcp.db.downstream_cx_total',
      'tcp.db.upstream_flush_active',
    ]);
    t.end();
  },
);

t.test('an idle cluster that is displaced brings nothing into other, and nothing back', (t) => {
  const fixture = new Fixture(2);
  const a = fixture.cluster('a');
  a.inc(upstreamCxActive);
  fixture.shown();
  fixture.nowMs = idleSeriesMs;
  t.strictSame(fixture.shown(upstreamCxActive), ['a 1']);
  const b = fixture.cluster('b');
  b.inc(clusterStats.upstreamCxTotal);
  fixture.nowMs += 60_000;
  b.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['other 2']);
  a.add(upstreamRqTotal, 3);
  t.strictSame(fixture.shown(), ['other 5']);
  t.end();
});

t.test('an idle cluster that is displaced needs room for all of its series to come back', (t) => {
  const fixture = new Fixture(6);
  const use = (name: string, ...stats: readonly number[]) => {
    for (const stat of stats) {
      fixture.workers[0]!.block(clusterStats, name).inc(stat);
      const groups = fixture.budget.groups().filter(isOfClusters);
      const series = groups.reduce(
        (sum, group) => sum + group.scope.stats.filter((_, index) => group.isUsed(index)).length,
        0,
      );
      t.equal(series, fixture.budget.report().series);
      t.ok(series <= 6, `${series} series`);
    }
  };
  use('2', upstreamRqTotal);
  fixture.nowMs += idleSeriesMs;
  use('0', clusterStats.upstreamCxTotal, clusterStats.upstreamRqTimeout);
  use('1', upstreamRqTotal);
  use('3', upstreamRqTotal, clusterStats.upstreamCxTotal);
  use('1', clusterStats.upstreamRqTimeout);
  use('0', upstreamRqTotal);
  t.end();
});

t.test('a reset begins every counter again', (t) => {
  const fixture = new Fixture(2);
  const blocks = ['a', 'b', 'c'].map((name) => fixture.cluster(name));
  fixture.shown();
  fixture.nowMs = 60_000;
  blocks[2]!.inc(upstreamRqTotal);
  fixture.shown();
  fixture.store.resetCounters();
  t.strictSame(fixture.shown(), ['c 0', 'other 0']);
  for (const block of blocks) block.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['c 1', 'other 2']);
  t.end();
});

t.test('every increase of a counter is in exactly one series, and the budget holds', (t) => {
  const step = fc.record({
    worker: fc.nat(1),
    name: fc.nat(9),
    index: fc.constantFrom(upstreamRqTotal, clusterStats.upstreamCxTotal, clusterStats.upstreamRqTimeout),
    amount: fc.integer({ min: 1, max: 5 }),
    afterMs: fc.constantFrom(0, 5000, 60_000, idleSeriesMs),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 6, max: 30 }), (steps, maxSeries) => {
      const fixture = new Fixture(maxSeries);
      const seen = new Map<string, number>();
      const lives: object[] = [];
      let counted = 0;
      let exported = 0;
      for (const { worker, name, index, amount, afterMs } of steps) {
        const block = fixture.workers[worker]!.block(clusterStats, String(name));
        block.add(index, amount);
        counted += amount;
        fixture.nowMs += afterMs;
        let series = 0;
        for (const group of fixture.budget.groups().filter(isOfClusters)) {
          for (let stat = 0; stat < group.scope.stats.length; stat++) {
            if (!group.isUsed(stat)) continue;
            series++;
            if (!lives.includes(group.life)) lives.push(group.life);
            const key = `${group.names} ${stat} ${lives.indexOf(group.life)}`;
            const gained = group.value(stat) - (seen.get(key) ?? 0);
            if (gained < 0) return false;
            exported += gained;
            seen.set(key, group.value(stat));
          }
        }
        if (exported !== counted || series > maxSeries || series !== fixture.budget.report().series) return false;
      }
      return true;
    }),
  );
  t.end();
});

t.test('the sum over all series of requests is the number of requests, whatever expires or is displaced', (t) => {
  const step = fc.record({
    worker: fc.nat(1),
    route: fc.nat(12),
    status: fc.constantFrom(200, 503),
    afterMs: fc.constantFrom(0, 5000, 60_000, idleSeriesMs),
    exports: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 8, max: 30 }), (steps, maxSeries) => {
      const fixture = new Fixture(maxSeries);
      const metrics = fixture.workers.map((stats) => new RequestMetrics({ stats, maxSeries: 6 }));
      let requests = 0;
      for (const { worker, route, status, afterMs, exports } of steps) {
        const key = { service: 's', route: String(route), method: 'GET' };
        metrics[worker]!.seriesFor(key).record(status, -1, 1);
        requests++;
        fixture.nowMs += afterMs;
        for (const each of metrics) each.cleanUp(fixture.nowMs);
        if (exports && sumOfRequests(fixture.budget.groups()) !== requests) return false;
        if (fixture.budget.report().series > maxSeries) return false;
      }
      return sumOfRequests(fixture.budget.groups()) === requests;
    }),
  );
  t.end();
});

t.test('series that expired are counted by how requests ended', (t) => {
  const fixture = new Fixture(100);
  const metrics = new RequestMetrics({ stats: fixture.workers[0]!, maxSeries: 10 });
  metrics.cleanUp(0);
  const series = metrics.seriesFor({ service: 's', route: '/', method: 'GET' });
  series.record(200, -1, 1);
  series.record(503, -1, 1);
  fixture.budget.groups();
  metrics.cleanUp(10_000);
  metrics.cleanUp(10_000 + idleSeriesMs);
  const shown = fixture.budget.groups().map(({ names }) => names);
  t.strictSame(shown, [
    ['2xx', ''],
    ['5xx', ''],
  ]);
  t.match(fixture.budget.report(), { expired: 2, names: 0, series: 0 });
  t.end();
});

t.test('a key of requests that was counted in other alone has no series that expires', (t) => {
  const fixture = new Fixture(1);
  const metrics = new RequestMetrics({ stats: fixture.workers[0]!, maxSeries: 10 });
  metrics.cleanUp(0);
  metrics.seriesFor({ service: 's', route: '/', method: 'GET' }).record(200, -1, 1);
  fixture.budget.groups();
  t.match(fixture.budget.report(), { names: 0, namesInOther: 1 });
  metrics.cleanUp(10_000);
  metrics.cleanUp(10_000 + idleSeriesMs);
  t.notOk(fixture.budget.groups().some(({ scope }) => scope === expiredRequestStats.scope));
  t.match(fixture.budget.report(), { expired: 0, namesInOther: 0 });
  t.end();
});

function sumOfRequests(groups: readonly SeriesGroup[]): number {
  let sum = 0;
  for (const group of groups) {
    const { template } = group.scope;
    if (template === requestStats.scope.template) sum += group.value(requestStats.requestsTotal);
    if (template === expiredRequestStats.scope.template) sum += group.value(expiredRequestStats.requestsExpiredTotal);
  }
  return sum;
}
