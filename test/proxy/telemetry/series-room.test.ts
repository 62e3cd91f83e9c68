// Which names have series of their own while there is not room for all: the busiest, and not those that come and go.

import t from 'tap';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { idleSeriesMs } from '../../../proxy/telemetry/request-metrics.ts';
import { SeriesBudget } from '../../../proxy/telemetry/series-budget.ts';
import type { StatBlock, StatSet } from '../../../proxy/telemetry/stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { clusterTlsFactoryStats } from '../../../proxy/telemetry/tls-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const { upstreamRqTotal } = clusterStats;

class Fixture {
  nowMs = 0;
  readonly #store = new StatsStore();
  readonly #stats = new WorkerStats((message) => this.#store.accept(0, message));
  readonly budget: SeriesBudget;

  constructor(maxSeries: number) {
    this.budget = new SeriesBudget({ store: this.#store, stats: this.#stats, maxSeries, clock: () => this.nowMs });
  }

  block(set: StatSet, name: string): StatBlock {
    return this.#stats.block(set, name);
  }

  /** A cluster with one series. */
  cluster(name: string): StatBlock {
    const block = this.#stats.block(clusterStats, name);
    block.inc(upstreamRqTotal);
    return block;
  }

  /** `name value` of each that has requests. */
  shown(): string[] {
    const ofClusters = this.budget.groups().filter(({ scope }) => scope.template === clusterStats.scope.template);
    const used = ofClusters.filter((group) => group.isUsed(upstreamRqTotal));
    return used.map((group) => `${group.names} ${group.value(upstreamRqTotal)}`);
  }
}

t.test('of names that come at the same time the busiest has series of its own', (t) => {
  const fixture = new Fixture(2);
  for (const [name, more] of [
    ['a', 0],
    ['b', 4],
    ['c', 1],
  ] as const) {
    fixture.cluster(name).add(upstreamRqTotal, more);
  }
  t.strictSame(fixture.shown(), ['b 5', 'other 3']);
  t.end();
});

t.test('a name makes room once it was idle for a minute, and not before', (t) => {
  const fixture = new Fixture(3);
  const [, b, c] = ['a', 'b', 'c'].map((name) => fixture.cluster(name));
  fixture.shown();
  fixture.cluster('d');
  t.strictSame(fixture.shown(), ['a 1', 'b 1', 'other 1']);
  const use = (nowMs: number) => {
    fixture.nowMs = nowMs;
    b!.inc(upstreamRqTotal);
    c!.inc(upstreamRqTotal);
    return fixture.shown().map((line) => line.split(' ')[0]);
  };
  t.strictSame(use(59_999), ['a', 'b', 'other']);
  t.strictSame(use(60_000), ['b', 'c', 'other']);
  t.end();
});

t.test('an idle name without a gauge does not come back before it is used', (t) => {
  const fixture = new Fixture(2);
  fixture.cluster('a');
  fixture.shown();
  fixture.nowMs = idleSeriesMs;
  t.strictSame(fixture.shown(), []);
  const b = fixture.cluster('b');
  b.inc(clusterStats.upstreamCxTotal);
  fixture.shown();
  b.inc(clusterStats.upstreamRqTimeout);
  fixture.shown();
  const { returned } = fixture.budget.report();
  fixture.shown();
  t.match(fixture.budget.report(), { returned, namesInOther: 2 });
  t.end();
});

t.test(
  'renewed secrets make nobody busy: clusters that are idle stay so, and those that are called keep their room',
  (t) => {
    const fixture = new Fixture(4);
    const { sslContextUpdateBySds } = clusterTlsFactoryStats;
    const names = ['a', 'b', 'c'];
    const renewed = names.map((name) => fixture.block(clusterTlsFactoryStats, name));
    const called = names.map((name) => fixture.cluster(name))[0]!;
    fixture.shown();
    fixture.nowMs = idleSeriesMs;
    called.inc(upstreamRqTotal);
    t.strictSame(fixture.shown(), ['a 2']);
    fixture.nowMs += 60_000;
    for (const block of renewed) block.inc(sslContextUpdateBySds);
    t.strictSame(fixture.shown(), ['a 2']);
    t.match(fixture.budget.report(), { idleNames: 2, namesInOther: 0, displaced: 0 });
    t.end();
  },
);
