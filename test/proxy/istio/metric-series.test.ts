import t from 'tap';
import { MetricSeries } from '../../../proxy/istio/metric-series.ts';
import { counter, defineStats } from '../../../proxy/telemetry/stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const set = defineStats('{a}.{b}', { count: counter('count') }, { vocabulary: 'istio' });
const otherNames = ['other', 'other'];

function bench(maxSeries: number) {
  const store = new StatsStore();
  const series = new MetricSeries(new WorkerStats((message) => store.accept(0, message)), maxSeries);
  const count = (...names: readonly string[]) => {
    const entry = series.open({ set, names, otherNames });
    entry.isUsed = true;
    entry.block.inc(set.count);
    return entry;
  };
  const listed = () => store.groups().map((group) => `${group.names.join()}=${group.value(set.count)}`);
  return { series, count, listed };
}

t.test('the same names are the same series', async (t) => {
  const { count, listed } = bench(10);
  t.equal(count('x', 'y'), count('x', 'y'));
  count('x', 'z');
  t.same(listed(), ['x,y=2', 'x,z=1']);
});

t.test('without room series are counted as other, until one is given up that others wait for', async (t) => {
  const { series, count, listed } = bench(2);
  series.cleanUp(0);
  count('a', '');
  count('b', '');
  count('c', '');
  count('d', '');
  t.same(listed(), ['a,=1', 'b,=1', 'other,other=2']);
  series.cleanUp(10_000);
  const { version } = series;
  count('b', '');
  series.cleanUp(69_000);
  t.equal(series.version, version, 'none was idle for long enough');
  count('c', '');
  series.cleanUp(80_000);
  t.not(series.version, version, 'whoever holds an entry is to look again');
  count('c', '');
  t.same(listed(), ['b,=2', 'c,=1', 'other,other=3']);
});

t.test('what nobody uses for long is given up', async (t) => {
  const { series, count, listed } = bench(10);
  series.cleanUp(0);
  count('a', '');
  series.cleanUp(10_000);
  series.cleanUp(15 * 60_000);
  t.same(listed(), ['a,=1']);
  series.cleanUp(15 * 60_000 + 10_000);
  t.same(listed(), []);
  t.equal(series.version, 1);
});
