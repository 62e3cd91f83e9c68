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

  release(block: StatBlock): void {
    this.#stats.release(block);
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
  t.match(fixture.budget.report(), { displaced: 0, returned: 0 }, 'nobody has seen series of the others');
  t.end();
});

t.test('room that comes free is for the name that was used last, and of those for the busiest', (t) => {
  const fixture = new Fixture(2);
  const [a, x, y, z] = ['a', 'x', 'y', 'z'].map((name) => fixture.cluster(name));
  a!.add(upstreamRqTotal, 9);
  t.strictSame(fixture.shown(), ['a 10', 'other 3']);
  for (const block of [x!, y!]) {
    fixture.nowMs += 1000;
    block.inc(upstreamRqTotal);
    fixture.shown();
  }
  fixture.release(a!);
  t.strictSame(fixture.shown(), ['other 5', 'y 0']);
  t.equal(fixture.budget.report().returned, 0, 'it had none before');
  fixture.release(y!);
  x!.inc(upstreamRqTotal);
  z!.add(upstreamRqTotal, 2);
  t.strictSame(fixture.shown(), ['other 8', 'z 0']);
  t.end();
});

t.test('of names that are idle the one that was used longest ago makes room', (t) => {
  const fixture = new Fixture(4);
  fixture.cluster('other');
  fixture.cluster('q');
  fixture.shown();
  fixture.nowMs = 10_000;
  fixture.cluster('p');
  const r = fixture.cluster('r');
  t.strictSame(fixture.shown(), ['other 1', 'p 1', 'q 1', 'r 1']);
  fixture.nowMs = 70_000;
  r.inc(upstreamRqTotal);
  fixture.cluster('z');
  t.strictSame(fixture.shown(), ['other 1', 'p 1', 'r 2', 'z 1']);
  t.end();
});

t.test('an idle name makes no room for one that is idle for as long', (t) => {
  const fixture = new Fixture(2);
  const [own, waiting] = ['own', 'waiting', 'another'].map((name) => fixture.cluster(name));
  own!.add(upstreamRqTotal, 5);
  fixture.shown();
  fixture.nowMs = 10_000;
  for (const block of [own!, waiting!]) block.inc(upstreamRqTotal);
  t.strictSame(fixture.shown(), ['other 3', 'own 7']);
  fixture.nowMs = 100_000;
  t.strictSame(fixture.shown(), ['other 3', 'own 7']);
  t.end();
});

t.test('a name that grows takes room of the one that was used before it, else of the one that came last', (t) => {
  const more = [clusterStats.upstreamCxTotal, clusterStats.upstreamRqTimeout];
  for (const isUsed of [false, true]) {
    const fixture = new Fixture(4);
    fixture.cluster('other');
    const a = fixture.cluster('a');
    fixture.shown();
    fixture.nowMs = 10_000;
    const b = fixture.cluster('b');
    t.strictSame(fixture.shown(), ['a 1', 'b 1', 'other 1']);
    fixture.nowMs = 20_000;
    for (const index of more) (isUsed ? a : b).inc(index);
    if (isUsed) b.add(upstreamRqTotal, 9);
    t.strictSame(fixture.shown(), isUsed ? ['a 1', 'other 10'] : ['b 1', 'other 1']);
  }
  t.end();
});

t.test('an idle name that was displaced waits for room for all of its series', (t) => {
  const fixture = new Fixture(2);
  fixture.cluster('a');
  fixture.shown();
  fixture.nowMs = idleSeriesMs;
  t.strictSame(fixture.shown(), []);
  fixture.cluster('c');
  fixture.cluster('d');
  t.strictSame(fixture.shown(), ['c 1', 'd 1']);
  fixture.cluster('b');
  fixture.shown();
  t.match(fixture.budget.report(), { names: 1, namesInOther: 3, returned: 0 });
  fixture.shown();
  t.match(fixture.budget.report(), { names: 1, namesInOther: 3, returned: 0 });
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
