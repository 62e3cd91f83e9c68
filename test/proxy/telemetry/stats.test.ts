import t from 'tap';
import { clusterStats, countUpstreamResponse } from '../../../proxy/telemetry/cluster-stats.ts';
import { countDownstreamResponse, httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { counter, defineStats, gauge, histogram, sanitizeName, statusCodes } from '../../../proxy/telemetry/stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const stats = defineStats('test.{label}', {
  requests: counter('requests'),
  active: gauge('active'),
  time: histogram('time', 'ms'),
  codes: statusCodes('rq'),
});

function fixture() {
  const store = new StatsStore();
  const worker = new WorkerStats((message) => store.accept(0, message));
  return { store, worker };
}

t.test('a set is frozen and its properties are indexes into its stats', (t) => {
  t.ok(Object.isFrozen(stats));
  t.equal(stats.scope.stats[stats.active]!.name, 'active');
  t.equal(stats.scope.stats[stats.codes]!.kind, 'status-codes');
  t.end();
});

t.test('a block counts, adds, sets and reads back', (t) => {
  const block = fixture().worker.block(stats, 'a');
  block.inc(stats.requests);
  block.add(stats.requests, 4);
  block.set(stats.active, 7);
  block.dec(stats.active);
  t.equal(block.get(stats.requests), 5);
  t.equal(block.get(stats.active), 6);
  t.end();
});

t.test('status codes are counted apart, however many there are', (t) => {
  const { store, worker } = fixture();
  const block = worker.block(stats, 'a');
  for (let code = 100; code < 140; code++) {
    for (let times = 0; times < code - 99; times++) block.incCode(stats.codes, code);
  }
  const codes = store.get(stats, 'a')!.codes(stats.codes);
  t.equal(codes.size, 40);
  t.ok([...codes].every(([code, count]) => count === code - 99));
  t.end();
});

t.test('an upstream response counts as completed, in its class and by its code', (t) => {
  const { store, worker } = fixture();
  const block = worker.block(clusterStats, 'a');
  for (const code of [100, 204, 301, 404, 404, 503, 600, 999]) countUpstreamResponse(block, clusterStats, code);
  const { upstreamRq1xx, upstreamRq2xx, upstreamRq3xx, upstreamRq4xx, upstreamRq5xx } = clusterStats;
  const classes = [upstreamRq1xx, upstreamRq2xx, upstreamRq3xx, upstreamRq4xx, upstreamRq5xx];
  t.strictSame(
    classes.map((index) => block.get(index)),
    [1, 1, 1, 2, 1],
  );
  t.equal(block.get(clusterStats.upstreamRqCompleted), 8);
  t.equal(store.get(clusterStats, 'a')!.codes(clusterStats.upstreamRqCode).get(404), 2);
  t.end();
});

t.test('a downstream response counts in the class of its code', (t) => {
  const block = fixture().worker.block(httpStats, 'a');
  countDownstreamResponse(block, httpStats, 503);
  countDownstreamResponse(block, httpStats, 999);
  t.equal(block.get(httpStats.downstreamRq5xx), 1);
  t.equal(block.get(httpStats.downstreamRqCompleted), 2);
  t.end();
});

t.test('the classes of every set lie in order, as counting by class takes for granted', (t) => {
  for (const set of [clusterStats, httpStats]) {
    const names = set.scope.stats.map((stat) => stat.name);
    const first = names.findIndex((name) => name.endsWith('_1xx'));
    t.strictSame(
      names.slice(first, first + 5).map((name) => name.slice(-3)),
      ['1xx', '2xx', '3xx', '4xx', '5xx'],
    );
  }
  t.end();
});

t.test('colons become underscores in names, as in Envoy', (t) => {
  t.equal(sanitizeName('[::1]:80'), '[__1]_80');
  t.equal(sanitizeName('unix://path'), 'unix_path');
  t.end();
});
