import fc from 'fast-check';
import t from 'tap';
import { LayeredMap } from '../../../proxy/worker/layered-map.ts';

interface Value {
  readonly number: number;
}

const name = fc.integer({ min: 0, max: 60 }).map((number) => `n${number}`);
const value = fc.option(fc.integer().map((number): Value => ({ number })));
const changes = fc.array(fc.tuple(name, value), { maxLength: 12 }).map((entries) => new Map(entries));

function applied(map: ReadonlyMap<string, Value>, change: ReadonlyMap<string, Value | null>): Map<string, Value> {
  const after = new Map(map);
  for (const [key, changed] of change) {
    if (changed === null) after.delete(key);
    else after.set(key, changed);
  }
  return after;
}

const sorted = (map: ReadonlyMap<string, Value>) => [...map].sort(([one], [other]) => (one < other ? -1 : 1));

t.test('it holds what a map that is copied for each change holds, at every step and for good', (t) => {
  const run = (first: ReadonlyMap<string, Value | null>, steps: readonly ReadonlyMap<string, Value | null>[]) => {
    const model = applied(new Map(), first);
    const states: [ReadonlyMap<string, Value>, ReadonlyMap<string, Value>][] = [[new Map(model), model]];
    for (const step of steps) {
      const [map, expected] = states.at(-1)!;
      states.push([LayeredMap.change(map, step), applied(expected, step)]);
    }
    for (const [map, expected] of states) {
      t.same(sorted(map), sorted(expected), { diagnostic: false });
      if (map.size !== expected.size || [...map.keys()].length !== map.size) return false;
      for (let number = 0; number <= 60; number++) {
        if (map.get(`n${number}`) !== expected.get(`n${number}`)) return false;
        if (map.has(`n${number}`) !== expected.has(`n${number}`)) return false;
      }
      const visited: Value[] = [];
      map.forEach((each) => {
        visited.push(each);
      });
      if (visited.some((each, index) => each !== [...map.values()][index])) return false;
    }
    return true;
  };
  fc.assert(fc.property(changes, fc.array(changes, { maxLength: 12 }), run), { seed: 4, numRuns: 100 });
  t.end();
});

t.test('what was changed, removed and added long ago and just now is found where it is', (t) => {
  let seed = 7;
  const below = (limit: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return seed % limit;
  };
  const first = new Map(Array.from({ length: 1000 }, (_, number): [string, Value] => [`n${number}`, { number }]));
  const states: [ReadonlyMap<string, Value>, ReadonlyMap<string, Value>][] = [[first, new Map(first)]];
  for (let step = 0; step < 300; step++) {
    const [map, expected] = states.at(-1)!;
    const names = Array.from({ length: 1 + below(3) }, () => `n${below(2) === 0 ? below(1000) : 1000 + below(40)}`);
    const change = new Map(names.map((each) => [each, below(3) === 0 ? null : { number: -step }]));
    states.push([LayeredMap.change(map, change), applied(expected, change)]);
  }
  t.ok(states.filter(([map]) => map instanceof Map).length > 2, 'some are whole copies');
  const isSame = ([map, expected]: (typeof states)[number]): boolean =>
    map.size === expected.size &&
    [...map].length === map.size &&
    Array.from({ length: 1040 }, (_, number) => `n${number}`).every((each) => map.get(each) === expected.get(each)) &&
    [...map].every(([each, value]) => expected.get(each) === value);
  t.ok(states.every(isSame));
  t.end();
});

t.test('a small change of a large map copies little, many of them all of it once', (t) => {
  const whole = new Map(Array.from({ length: 10_000 }, (_, number) => [`n${number}`, { number }]));
  let map: ReadonlyMap<string, Value> = whole;
  let copies = 0;
  for (let step = 0; step < 1000; step++) {
    map = LayeredMap.change(map, new Map([[`n${step}`, { number: -step }]]));
    if (map instanceof Map) copies++;
  }
  t.ok(copies >= 1 && copies <= 3, `${copies} copies for 1000 changes`);
  t.equal(map.size, 10_000);
  t.equal(map.get('n999')?.number, -999);
  t.equal(whole.get('n999')?.number, 999);
  t.end();
});
