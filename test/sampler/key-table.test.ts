import fc from 'fast-check';
import t from 'tap';
import { KeyTable, keyId, otherKey, otherSlot, type SamplingKey, type SlottedKey } from '../../sampler/key-table.ts';

function key(service: string, headerRule = -1): SamplingKey {
  return { service, route: '/', method: 'GET', headerRule };
}

/** A table and what it told of owners, as `slot=service`. */
function tableOf(slots: number, idleMs = 60_000) {
  const told: string[] = [];
  const table = new KeyTable({ slots, idleMs, onOwner: (slot, owner) => told.push(`${slot}=${owner?.service ?? ''}`) });
  const keys = new Map<string, SlottedKey>();
  const arrive = (service: string, arrivals = 1) => {
    if (!keys.has(service)) keys.set(service, table.keyFor(key(service)));
    return table.slotFor(keys.get(service)!, arrivals);
  };
  return { table, told, arrive };
}

t.test('a key keeps the slot that it got with its first request', (t) => {
  const { table, told, arrive } = tableOf(4);
  t.same([arrive('a'), arrive('b'), arrive('a'), arrive('b')], [1, 2, 1, 2]);
  t.same(told, ['1=a', '2=b'], 'owners are told once');
  t.equal(table.ownerOf(2)?.service, 'b');
  t.equal(table.ownerOf(3), null);
  t.equal(table.ownerOf(otherSlot), otherKey);
  t.end();
});

t.test('keys that find no slot share slot 0', (t) => {
  const { told, arrive } = tableOf(3);
  t.same([arrive('a'), arrive('b'), arrive('c'), arrive('d')], [1, 2, 0, 0]);
  t.equal(told.length, 2);
  t.end();
});

t.test('equal keys of two snapshots have one slot', (t) => {
  const { table, told } = tableOf(4);
  const before = table.keyFor(key('a'));
  const after = table.keyFor(key('a'));
  t.same(
    [before, after, before, after].map((each) => table.slotFor(each)),
    [1, 1, 1, 1],
  );
  t.equal(table.slotOf(before), 1);
  t.same(told, ['1=a']);
  t.end();
});

t.test('a request chosen by a rule about headers is a key of its own', (t) => {
  const { table } = tableOf(4);
  t.not(keyId(key('a', 0)), keyId(key('a')));
  t.not(table.slotFor(table.keyFor(key('a', 0))), table.slotFor(table.keyFor(key('a'))));
  t.end();
});

t.test('a line break in a name does not make another key, nor other names when the text is read', (t) => {
  const names = { service: 'a\nb', route: 'c', method: 'GET', headerRule: -1 };
  t.not(keyId(names), keyId({ ...names, service: 'a', route: 'b\nc' }));
  t.strictSame(keyId(names).split('\n'), ['a\u2424b', 'c', 'GET', '-1']);
  t.end();
});

t.test('a slot is free when its key was not seen for a while', (t) => {
  const { table, told, arrive } = tableOf(3, 10_000);
  arrive('a');
  arrive('b');
  for (let now = 0; now <= 10_000; now += 1_000) {
    if (now > 0) arrive('b');
    table.age(now);
  }
  t.same(told, ['1=a', '2=b', '1=']);
  t.equal(arrive('c'), 1);
  t.equal(arrive('a'), 0, 'who comes back finds it taken');
  t.end();
});

t.test('a clock that jumps frees nothing', (t) => {
  const { table, told, arrive } = tableOf(3, 10_000);
  arrive('a');
  table.age(0);
  table.age(86_400_000);
  table.age(0);
  table.age(-5_000);
  t.same(told, ['1=a']);
  t.end();
});

t.test('a busy key takes the slot of the idlest at the next aging, not before', (t) => {
  const { table, told, arrive } = tableOf(3);
  arrive('busy', 100);
  arrive('idle', 1);
  t.equal(arrive('new', 50), 0);
  table.age(0);
  t.same(told.slice(2), ['2=', '2=new']);
  t.same([arrive('busy'), arrive('new'), arrive('idle')], [1, 2, 0]);
  t.end();
});

t.test('a key that is about as busy as an owner does not push it out', (t) => {
  const { table, told, arrive } = tableOf(2);
  arrive('owner', 10);
  arrive('new', 15);
  table.age(0);
  t.same(told, ['1=owner']);
  t.end();
});

t.test('10,000 keys with a request each leave those in use where they are', (t) => {
  const { table, told, arrive } = tableOf(500);
  for (let known = 0; known < 499; known++) arrive(`known ${known}`, 20);
  for (let now = 0; now < 20; now++) {
    for (let flood = 0; flood < 500; flood++) arrive(`flood ${now * 500 + flood}`);
    for (let known = 0; known < 499; known++) arrive(`known ${known}`, 20);
    table.age(now * 1000);
  }
  t.equal(told.length, 499, 'nobody is told of anything else');
  t.end();
});

t.test('a heavy key is found among 10,000 light ones', (t) => {
  const { table, arrive } = tableOf(10);
  for (let first = 0; first < 9; first++) arrive(`first ${first}`);
  for (let light = 0; light < 10_000; light++) {
    arrive(`light ${light}`);
    if (light % 20 === 0) arrive('heavy');
  }
  table.age(0);
  t.not(arrive('heavy'), otherSlot);
  t.end();
});

t.test('owners that were told are the owners, and no two keys share a slot other than 0', (t) => {
  const step = fc.oneof(
    fc.record({ service: fc.integer({ min: 0, max: 12 }), arrivals: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ ageMs: fc.integer({ min: -2_000, max: 8_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const owners = new Map<number, string | undefined>();
      const onOwner = (slot: number, owner: SamplingKey | null) => owners.set(slot, owner?.service);
      const table = new KeyTable({ slots: 6, idleMs: 20_000, onOwner });
      const keys = Array.from({ length: 13 }, (_, index) => table.keyFor(key(String(index))));
      let now = 0;
      for (const step of steps) {
        if ('ageMs' in step) {
          now += step.ageMs;
          table.age(now);
        } else {
          const slot = table.slotFor(keys[step.service]!, step.arrivals);
          if (slot !== otherSlot && owners.get(slot) !== String(step.service)) return false;
        }
        for (let slot = 1; slot < 6; slot++) if (owners.get(slot) !== table.ownerOf(slot)?.service) return false;
      }
      const taken = [...owners.values()].filter((service) => service !== undefined);
      return new Set(taken).size === taken.length && keys.every((each) => table.slotOf(each) < 6);
    }),
  );
  t.end();
});
