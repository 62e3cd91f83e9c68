import t from 'tap';
import { maxKeys, type SamplingKey } from '../../sampler/key-table.ts';
import { RootRates } from '../../sampler/root-rates.ts';
import { defaultSettings, type SamplingSettings } from '../../sampler/settings.ts';
import { always, never, probabilityOf } from '../../sampler/threshold.ts';

const settings: SamplingSettings = { ...defaultSettings, floorPerMinute: 0, rules: [], baseRate: 1 };

function key(service: string, headerRule = -1): SamplingKey {
  return { service, route: '/', method: 'GET', headerRule };
}

/** Drives a `RootRates` by a clock of its own. */
function driven(given: Partial<SamplingSettings> = {}, slots = maxKeys) {
  const rates = new RootRates({ ...settings, ...given }, slots);
  const keys = new Map<string, ReturnType<typeof rates.keyFor>>();
  const keyOf = (service: string) => {
    if (!keys.has(service)) keys.set(service, rates.keyFor(key(service)));
    return keys.get(service)!;
  };
  let nowMs = 1_000_000;
  rates.step(nowMs);
  /** For seconds, each service arrives so often a second; stepped every 100 ms. */
  const run = (seconds: number, perSecond: Record<string, number>, replicas = 1) => {
    for (let tick = 1; tick <= seconds * 10; tick++) {
      for (const [service, rate] of Object.entries(perSecond)) {
        rates.arrived(keyOf(service), Math.floor((rate * tick) / 10) - Math.floor((rate * (tick - 1)) / 10));
      }
      nowMs += 100;
      rates.step(nowMs, replicas);
    }
  };
  const jump = (byMs: number) => {
    nowMs += byMs;
    return rates.step(nowMs);
  };
  const p = (service: string) => Number(probabilityOf(rates.thresholdOf(keyOf(service))).toFixed(4));
  return { rates, run, p, keyOf, jump };
}

t.test('a new key is kept whole until its first window closes', (t) => {
  const { rates, run, p, keyOf } = driven({ baseRate: 0.01 });
  t.equal(rates.thresholdOf(keyOf('a')), always);
  run(0.9, { a: 8 });
  t.equal(p('a'), 1);
  run(0.1, { a: 8 });
  t.equal(p('a'), 0.01);
  t.end();
});

t.test('a flood of a new key is met before a second is over', (t) => {
  const { run, p } = driven();
  run(0.1, { a: 10_000 });
  t.equal(p('a'), 0.01, '100 of 10,000');
  t.end();
});

t.test('rates below the budget are given as wanted', (t) => {
  const rules = [{ service: '*payment*', headers: [], rate: 0.1, weight: 10 }];
  const { run, p } = driven({ baseRate: 0.01, rules });
  run(2, { payments: 100, reviews: 1000 });
  t.equal(p('payments'), 0.1);
  t.equal(p('reviews'), 0.01);
  t.end();
});

t.test('weights and rates share a budget that is too small, by the law of the settings', (t) => {
  const rules = [{ service: 'heavy', headers: [], rate: 1, weight: 3 }];
  const given = (share: SamplingSettings['share']) => {
    const { run, p } = driven({ share, rules, budget: { tracesPerSecond: 40, scope: 'instance' } });
    run(3, { heavy: 1000, light: 1000, busy: 4000 });
    return ['heavy', 'light', 'busy'].map(p);
  };
  t.same(given('proportional'), [0.015, 0.005, 0.005]);
  t.same(given('sqrt'), [0.02, 0.0067, 0.0033]);
  t.same(given('equal'), [0.024, 0.008, 0.002]);
  t.end();
});

t.test('a timer that fires a little early ends the second, one that fires far too early does not', (t) => {
  const { run, jump } = driven();
  run(1, { a: 8 });
  t.equal(jump(985), true);
  t.equal(jump(970), false);
  t.equal(jump(15), true);
  t.end();
});

t.test('the floor is a probability: so many a minute are expected of each key', (t) => {
  const { run, p } = driven({ baseRate: 0.001, floorPerMinute: 60 });
  run(3, { a: 100, b: 10_000 });
  t.equal(p('a'), 0.01);
  t.equal(p('b'), 0.001);
  t.end();
});

t.test('load that pauses has no more than one floor a minute, however often it comes again', (t) => {
  const { run, p } = driven({
    baseRate: 0.01,
    floorPerMinute: 60,
    budget: { tracesPerSecond: 1000, scope: 'instance' },
  });
  let offered = 0;
  let expected = 0;
  run(2, { a: 10_000 });
  for (let turn = 0; turn < 60; turn++) {
    run(2, { a: 0 });
    for (let tick = 0; tick < 20; tick++) {
      expected += p('a') * 1000;
      offered += 1000;
      run(0.1, { a: 10_000 });
    }
  }
  const minutes = 4;
  const wanted = 0.01 * offered;
  t.ok(expected >= wanted && expected <= wanted + 60 * minutes, `${expected} of ${offered}, ${wanted} are the rule's`);
  t.end();
});

t.test('a key that has become rare has its floor again when the minute is over in which it was not', (t) => {
  const { run, p } = driven({ baseRate: 0.01, floorPerMinute: 1 });
  run(10, { a: 10_000 });
  run(30, { a: 0.05 });
  t.equal(p('a'), 0.01, 'it had many more traces in this minute');
  run(90, { a: 0.05 });
  t.ok(p('a') > 0.2, `${p('a')}`);
  t.end();
});

t.test('many rare keys do not add up to more than their floors', (t) => {
  const { rates, run } = driven({ baseRate: 0.001, floorPerMinute: 1 });
  const services = Object.fromEntries(
    Array.from({ length: 400 }, (_, index) => [`rare ${index}`, 0.2 + (index % 10) / 100]),
  );
  run(120, services);
  const kept = rates.list().reduce((sum, { key, probability }) => sum + (services[key.service] ?? 0) * probability, 0);
  t.ok(
    kept > 0.8 * (400 / 60) && kept < 1.3 * (400 / 60),
    `${kept.toFixed(2)} a second, ${(400 / 60).toFixed(2)} are floors`,
  );
  t.end();
});

t.test('a rule with rate 0 keeps nothing, from the first request on', (t) => {
  const { rates, run, keyOf } = driven({
    floorPerMinute: 60,
    rules: [{ service: 'health', headers: [], rate: 0, weight: 0 }],
  });
  run(0.1, { health: 10 });
  t.equal(rates.thresholdOf(keyOf('health')), never);
  run(2, { health: 10 });
  t.equal(rates.thresholdOf(keyOf('health')), never);
  t.end();
});

t.test('what a rule about headers chose has a rate of its own', (t) => {
  const { rates, run, p } = driven({
    baseRate: 0.01,
    rules: [{ headers: [['x-tenant', 'gold']], rate: 0.5, weight: 50 }],
  });
  const gold = rates.keyFor(key('a', 0));
  for (let second = 0; second < 3; second++) {
    rates.arrived(gold, 10);
    run(1, { a: 100 });
  }
  t.equal(probabilityOf(rates.thresholdOf(gold)), 0.5);
  t.equal(p('a'), 0.01);
  t.end();
});

t.test('ten times as many, and a tenth, are followed within two seconds', (t) => {
  for (const [before, after] of [
    [1000, 10_000],
    [10_000, 1000],
  ] as const) {
    for (const offset of [0, 0.3, 0.7]) {
      const { run, p } = driven();
      run(5 + offset, { a: before });
      run(2, { a: after });
      const kept = p('a') * after;
      t.ok(kept > 90 && kept < 110, `${before} to ${after}, ${offset} s into a window: ${kept} of 100 a second`);
    }
  }
  t.end();
});

t.test('a clock that jumps changes no threshold, and what is counted next is believed', (t) => {
  const { run, p, jump } = driven();
  run(3, { a: 1000 });
  t.equal(p('a'), 0.1);
  for (const by of [86_400_000, -3_600_000, -1]) {
    t.equal(jump(by), false);
    t.equal(p('a'), 0.1);
  }
  run(1, { a: 1000 });
  t.equal(p('a'), 0.1);
  t.end();
});

t.test('a step that came late counts as long as it took', (t) => {
  const { rates, keyOf, run, p, jump } = driven();
  run(3, { a: 1000 });
  rates.arrived(keyOf('a'), 4000);
  t.equal(jump(4000), true);
  t.equal(p('a'), 0.1);
  t.end();
});

t.test('the budget of a service is divided by its replicas, and follows them by half a second', (t) => {
  const { rates, run } = driven({ budget: { tracesPerSecond: 100, scope: 'service' } });
  run(1, { a: 10 }, 1);
  t.equal(rates.tracesPerSecond, 100);
  run(1, { a: 10 }, 2);
  t.equal(rates.tracesPerSecond.toFixed(2), (100 / 1.5).toFixed(2));
  run(20, { a: 10 }, 4);
  t.equal(rates.tracesPerSecond.toFixed(2), '25.00');
  run(20, { a: 10 }, 0);
  t.equal(rates.tracesPerSecond.toFixed(2), '100.00', 'this instance is always one');
  t.end();
});

t.test('the budget of an instance does not know of replicas', (t) => {
  const { rates, run } = driven();
  run(2, { a: 10 }, 5);
  t.equal(rates.tracesPerSecond, 100);
  t.end();
});

t.test('a change of settings counts at once, with the rates that are known', (t) => {
  const { rates, run, p } = driven();
  run(3, { a: 1000 });
  rates.configure({ ...settings, budget: { tracesPerSecond: 10, scope: 'instance' } });
  t.equal(p('a'), 0.01);
  t.end();
});

t.test('10,000 keys are bounded and leave those with a slot as they are', (t) => {
  const { rates, run, p } = driven({ baseRate: 0.05 }, 50);
  run(3, { known: 500 });
  for (let flood = 0; flood < 10; flood++) {
    const keys = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`flood ${flood * 1000 + index}`, 1]));
    run(1, { known: 500, ...keys });
  }
  t.equal(p('known'), 0.05);
  t.ok(rates.list().length <= 50);
  const other = rates.list().find((rate) => rate.key.service === '*')!;
  t.ok(other.arrivalsPerSecond! > 900, `${other.arrivalsPerSecond} a second count as others`);
  t.end();
});

t.test('keys that are idle for minutes are forgotten', (t) => {
  const { rates, run } = driven();
  run(1, { a: 10, b: 10 });
  run(130, { b: 10 });
  t.same(
    rates.list().map((rate) => rate.key.service),
    ['b'],
  );
  t.end();
});

t.test('the list says what is known of each key', (t) => {
  const { rates, run, keyOf } = driven();
  run(2, { a: 1000 });
  rates.arrived(keyOf('new'), 1);
  const [a, fresh] = rates.list();
  t.same(a, { key: keyOf('a'), arrivalsPerSecond: 1000, probability: 0.1, threshold: rates.thresholdOf(keyOf('a')) });
  t.same(fresh, { key: keyOf('new'), arrivalsPerSecond: undefined, probability: 1, threshold: always });
  t.end();
});
