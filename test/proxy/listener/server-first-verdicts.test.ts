import t from 'tap';
import { ServerFirstVerdicts } from '../../../proxy/listener/server-first-verdicts.ts';
import { serverFirstStats } from '../../../proxy/telemetry/server-first-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

function makeVerdicts() {
  const told: string[] = [];
  const stats = new WorkerStats(() => undefined);
  const verdicts = new ServerFirstVerdicts({
    makeStats: () => stats.block(serverFirstStats),
    onNewDestination: (destination) => told.push(destination),
  });
  return { verdicts, told };
}

t.test('a verdict is about one client at one destination', (t) => {
  const { verdicts } = makeVerdicts();
  t.ok(verdicts.isEmpty);
  verdicts.add('10.0.0.1', '10.0.0.9:3306');
  t.ok(verdicts.has('10.0.0.1', '10.0.0.9:3306'));
  t.notOk(verdicts.has('10.0.0.2', '10.0.0.9:3306'));
  t.notOk(verdicts.has('10.0.0.1', '10.0.0.9:3307'));
  verdicts.remove('10.0.0.1', '10.0.0.9:3306');
  t.ok(verdicts.isEmpty);
  t.end();
});

t.test('a destination is told of once, whoever asks for it', (t) => {
  const { verdicts, told } = makeVerdicts();
  verdicts.add('10.0.0.1', 'a:1');
  verdicts.remove('10.0.0.1', 'a:1');
  verdicts.add('10.0.0.1', 'a:1');
  verdicts.add('10.0.0.2', 'a:1');
  verdicts.add('10.0.0.2', 'b:1');
  t.same(told, ['a:1', 'b:1']);
  t.end();
});

t.test('clients without number do not take memory without number', (t) => {
  const { verdicts } = makeVerdicts();
  for (let client = 0; client < 2000; client++) verdicts.add(`client ${client}`, 'a:1');
  t.notOk(verdicts.has('client 0', 'a:1'));
  t.ok(verdicts.has('client 1999', 'a:1'));
  t.end();
});

t.test('counters are made when they are needed', (t) => {
  const { verdicts } = makeVerdicts();
  t.equal(verdicts.stats, verdicts.stats);
  t.end();
});
