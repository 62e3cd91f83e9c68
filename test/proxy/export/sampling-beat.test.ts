import t from 'tap';
import { SamplingBeat } from '../../../proxy/export/sampling-beat.ts';
import { FakeExportClock } from '../../support/export-fixtures.ts';

function start() {
  const clock = new FakeExportClock();
  const startMs = clock.nowMs();
  const beats: number[] = [];
  const beat = new SamplingBeat({ onBeat: () => beats.push(clock.nowMs() - startMs), clock });
  /** Beats of the next `seconds`, since the start. */
  const run = (seconds: number) => {
    beats.length = 0;
    for (let ms = 0; ms < seconds * 1000; ms += 10) clock.advance(10);
    return [...beats];
  };
  return { beat, run };
}

t.test('without anything new there is a beat a second', (t) => {
  const { run } = start();
  t.same(run(3), [1000, 2000, 3000]);
  t.end();
});

t.test('a new key is looked at ten times a second, until its first windows are over', (t) => {
  const { beat, run } = start();
  run(0.5);
  beat.watch();
  t.same(run(0.3), [600, 700, 800]);
  beat.watch();
  t.equal(run(1.9).length, 19, 'another one');
  t.same(run(3), [2800, 3800, 4800], 'and then one a second again');
  t.end();
});

t.test('records bring a beat, ten a second at most, and put off the next one', (t) => {
  const { beat, run } = start();
  run(0.05);
  beat.onRecords();
  t.same(run(0.05), [], 'one was just before');
  beat.onRecords();
  t.same(run(0.9), []);
  t.same(run(0.2), [1100], 'a second after that of the records');
  t.end();
});
