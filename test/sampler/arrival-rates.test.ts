import t from 'tap';
import { ArrivalRates } from '../../sampler/arrival-rates.ts';

function after(windows: readonly (readonly [count: number, elapsedMs: number])[]): number {
  const rates = new ArrivalRates(1);
  for (const [count, elapsedMs] of windows) {
    rates.add(0, count);
    rates.close(elapsedMs);
  }
  return rates.perSecond[0]!;
}

t.test('the first window gives the rate, later ones move it half of the way a second', (t) => {
  t.ok(Number.isNaN(after([])));
  t.ok(Number.isNaN(after([[0, 1000]])), 'nothing came: nothing is known');
  t.equal(after([[100, 500]]), 200);
  t.equal(
    after([
      [80, 1000],
      [90, 1000],
    ]),
    85,
  );
  t.equal(
    after([
      [80, 1000],
      [180, 2000],
    ]).toFixed(6),
    '90.000000',
    'an estimate that may be mixed is replaced',
  );
  t.equal(
    after([
      [80, 1000],
      [84, 2000],
    ]).toFixed(6),
    '51.500000',
    'two seconds in one window count as two',
  );
  t.end();
});

t.test('a rate that is no longer like it was is believed at once, up and down', (t) => {
  t.equal(
    after([
      [100, 1000],
      [1000, 1000],
    ]),
    1000,
  );
  t.equal(
    after([
      [1000, 1000],
      [100, 1000],
    ]),
    100,
  );
  t.equal(
    after([
      [4, 1000],
      [0, 1000],
    ]),
    4 * 0.5 ** 0.4,
    'few may be none by chance',
  );
  t.end();
});

t.test('a rare key is remembered for ten arrivals, so that its estimate is not noise', (t) => {
  const windows = Array.from({ length: 600 }, (_, second) => [second % 5 === 0 ? 1 : 0, 1000] as const);
  for (let last = 595; last < 600; last++) {
    const rate = after(windows.slice(0, last));
    t.ok(rate > 0.18 && rate < 0.22, `${rate}`);
  }
  t.end();
});

t.test('a burst is seen before its second is over, chance is none', (t) => {
  const rates = new ArrivalRates(2);
  rates.add(1, 100);
  rates.close(1000);
  rates.add(1, 240);
  t.equal(rates.hasBurst(), false);
  rates.add(1, 20);
  t.equal(rates.hasBurst(), true);
  rates.discard();
  t.equal(rates.hasBurst(), false, 'a window that is discarded');
  rates.add(0, 8);
  t.equal(rates.hasBurst(), false);
  rates.add(0, 1);
  t.equal(rates.hasBurst(), true, 'of a key of which nothing was known');
  rates.restart(0);
  t.equal(rates.hasBurst(), false);
  t.end();
});

t.test('the rate of a minute is that of the last second, unless far more came before', (t) => {
  const rates = new ArrivalRates(1);
  const run = (seconds: number, count: number) => {
    for (let second = 0; second < seconds; second++) {
      rates.add(0, count);
      rates.close(1000);
    }
    return rates.perSecondOfMinute(0);
  };
  t.equal(run(10, 100), 100, 'of 10 s as of a minute');
  t.equal(run(1, 300), 300, 'a rate that rises');
  t.equal(run(1, 0).toFixed(2), (1300 / 60).toFixed(2), 'load that pauses');
  t.equal(run(48, 0).toFixed(2), (1300 / 60).toFixed(2));
  t.equal(run(30, 0).toFixed(2), ((1300 * 0.5) / 60).toFixed(2), 'the minute slides on');
  t.equal(run(30, 0), 0, 'it is over');
  rates.add(0, 600);
  rates.close(1000);
  run(1, 0);
  rates.restart(0);
  t.ok(Number.isNaN(rates.perSecondOfMinute(0)), 'of another key nothing is known');
  t.end();
});
