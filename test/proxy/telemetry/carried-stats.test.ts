import fc from 'fast-check';
import t from 'tap';
import { CarriedStats, writeStats } from '../../../proxy/telemetry/carried-stats.ts';
import { counter, defineStats, gauge, histogram, type StatBlock, statusCodes } from '../../../proxy/telemetry/stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const set = defineStats('cluster.{name}', {
  total: counter('total'),
  active: gauge('active'),
  codes: statusCodes('rq'),
  time: histogram('time', 'ms'),
});

/** One process: what a thread of it counts, and the main thread's view. */
class Process {
  readonly store = new StatsStore();
  readonly carried = new CarriedStats(this.store);
  readonly stats = new WorkerStats((message) => this.store.accept(0, message));

  block(name: string, of = set): StatBlock {
    return this.stats.block(of, name);
  }

  write(): string {
    return writeStats(this.store.groups());
  }

  total(name: string, of = set): number | undefined {
    return this.store.get(of, name)?.value(set.total);
  }
}

t.test('counters, status codes and histograms go on; gauges stay', (t) => {
  const [parent, successor] = [new Process(), new Process()];
  const [before, after] = [parent.block('a'), successor.block('a')];
  before.add(set.total, 5);
  before.set(set.active, 3);
  for (const code of [200, 200, 503]) before.incCode(set.codes, code);
  for (const value of [0, 1, 10]) before.record(set.time, value);
  after.inc(set.total);
  after.incCode(set.codes, 200);
  after.record(set.time, 100);
  t.ok(successor.carried.take(parent.write()));
  const group = successor.store.get(set, 'a')!;
  t.equal(group.value(set.total), 6);
  t.equal(group.value(set.active), 0);
  t.same(
    [...group.codes(set.codes)],
    [
      [200, 3],
      [503, 1],
    ],
  );
  const times = group.histogram(set.time);
  t.equal(times.count, 4);
  t.equal(times.min, 0);
  t.equal(times.max, 100);
  t.equal(times.sum, 111);
  t.end();
});

t.test('totals that come again replace those before, also after a reset', (t) => {
  const [parent, successor] = [new Process(), new Process()];
  const before = parent.block('a');
  successor.block('a');
  before.add(set.total, 5);
  before.record(set.time, 1);
  successor.carried.take(parent.write());
  successor.carried.take(parent.write());
  t.equal(successor.total('a'), 5);
  before.add(set.total, 2);
  before.record(set.time, 1);
  successor.carried.take(parent.write());
  t.equal(successor.total('a'), 7);
  t.equal(successor.store.get(set, 'a')!.histogram(set.time).count, 2);
  successor.store.resetCounters();
  before.inc(set.total);
  successor.carried.take(parent.write());
  t.equal(successor.total('a'), 1, 'what came since');
  t.end();
});

t.test('they go on through several processes', (t) => {
  const processes = [new Process(), new Process(), new Process()];
  let text = '[]';
  for (const each of processes) {
    each.block('a').inc(set.total);
    t.ok(each.carried.take(text));
    text = each.write();
  }
  t.equal(processes[2]!.total('a'), 3);
  t.end();
});

t.test('a set that nobody has announced gets its share when somebody does', (t) => {
  const [parent, successor] = [new Process(), new Process()];
  parent.block('a').add(set.total, 5);
  parent.block('b').add(set.total, 6);
  successor.carried.take(parent.write());
  t.equal(successor.total('a'), undefined);
  successor.block('a');
  successor.carried.apply();
  successor.carried.apply();
  t.equal(successor.total('a'), 5);
  t.equal(successor.total('b'), 6, 'names that were not used again too');
  t.end();
});

t.test('another version is matched by the names of stats', (t) => {
  const [parent, successor] = [new Process(), new Process()];
  const newer = defineStats('cluster.{name}', {
    total: counter('added_since'),
    active: counter('total'),
    codes: counter('time'),
  });
  const before = parent.block('a');
  before.add(set.total, 5);
  before.record(set.time, 1);
  successor.block('a', newer as unknown as typeof set);
  t.ok(successor.carried.take(parent.write()));
  const group = successor.store.get(newer, 'a')!;
  t.equal(group.value(newer.active), 5);
  t.equal(group.value(newer.total), 0);
  t.equal(group.value(newer.codes), 0, 'of another kind it is another stat');
  t.end();
});

t.test('what is not such a text is refused whole', (t) => {
  const successor = new Process();
  successor.block('a');
  for (const text of [
    '',
    '{}',
    '[1]',
    '[null]',
    '[{"template":"cluster.{name}","names":["a"]}]',
    '[{"template":"cluster.{name}","names":[1],"stats":[]}]',
    '[{"template":"cluster.{name}","names":["a"],"stats":[["total"]]}]',
    '[{"template":"cluster.{name}","names":["a"],"stats":[["total",null]]}]',
    '[{"template":"cluster.{name}","names":["a"],"stats":[["rq",[[1]]]]}]',
    '[{"template":"cluster.{name}","names":["a"],"stats":[["time",{"sum":1,"min":1,"max":1}]]}]',
  ]) {
    t.notOk(successor.carried.take(text), text);
  }
  t.equal(successor.total('a'), 0);
  const strange =
    '[{"template":"cluster.{name}","names":["a"],"stats":[["time",{"sum":1,"min":1,"max":1,"counts":[[99999,1]]}]]}]';
  t.ok(successor.carried.take(strange), 'a bucket that there is not counts nothing');
  t.equal(successor.store.get(set, 'a')!.histogram(set.time).count, 0);
  fc.assert(fc.property(fc.json(), (text) => typeof new Process().carried.take(text) === 'boolean'));
  t.end();
});
