import fc from 'fast-check';
import t from 'tap';
import {
  changesOf,
  hopsIn,
  originIn,
  sharesIn,
  statedVersion,
  statedWholeVersion,
} from '../../control-plane/stated-version.ts';
import { compareVectors, covers, formatVector, joinVectors, parseVector } from '../../control-plane/version-vector.ts';

const vector = (counts: { readonly [origin: string]: number }) => new Map(Object.entries(counts));
const vectors = fc
  .dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 3 }))
  .map((counts) => new Map(Object.entries(counts)));

t.test('of two states one has all changes of the other, or neither has', async (t) => {
  t.equal(compareVectors(vector({ a: 1 }), vector({ a: 1 })), 'equal');
  t.equal(compareVectors(vector({ a: 1 }), vector({ a: 2 })), 'before');
  t.equal(compareVectors(vector({ a: 1, b: 1 }), vector({ a: 1 })), 'after');
  t.equal(compareVectors(vector({ a: 1 }), vector({ b: 1 })), 'concurrent');
  t.equal(compareVectors(vector({ a: 2, b: 1 }), vector({ a: 1, b: 2 })), 'concurrent');
});

t.test('the order has two sides, and joining is the least that has both', async (t) => {
  const opposite = { equal: 'equal', before: 'after', after: 'before', concurrent: 'concurrent' } as const;
  const law = fc.property(vectors, vectors, vectors, (a, b, c) => {
    const joined = joinVectors(a, b);
    return (
      compareVectors(b, a) === opposite[compareVectors(a, b)] &&
      covers(joined, a) &&
      covers(joined, b) &&
      (!(covers(c, a) && covers(c, b)) || covers(c, joined)) &&
      compareVectors(joined, joinVectors(b, a)) === 'equal'
    );
  });
  t.equal(fc.check(law, { numRuns: 1000 }).failed, false);
});

t.test('a vector travels as text, whatever the names of origins are', async (t) => {
  t.equal(formatVector(vector({ west: 2, east: 1 })), 'east=1,west=2');
  const anyVector = fc.dictionary(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: 1e9 })).map(vector);
  const law = fc.property(anyVector, (any) => compareVectors(parseVector(formatVector(any))!, any) === 'equal');
  t.equal(fc.check(law).failed, false);
  const isStable = (text: string) => {
    const parsed = parseVector(text);
    return parsed === undefined || compareVectors(parseVector(formatVector(parsed))!, parsed) === 'equal';
  };
  t.equal(fc.check(fc.property(fc.string({ unit: fc.constantFrom('a', '%', '=', ',', '1') }), isStable)).failed, false);
  for (const wrong of ['a', 'a=', 'a=0', 'a=-1', '=1', 'a=1,', 'a=1,a=2', 'a=1=2', '%=1', 'a=1.5']) {
    t.equal(parseVector(wrong), undefined, wrong);
  }
});

t.test('a version may carry its changes', async (t) => {
  const version = statedVersion('hash', vector({ a: 1 }));
  t.equal(version, 'hash;a=1');
  t.same(changesOf(version), vector({ a: 1 }));
  t.equal(changesOf('2026-01-01/5'), undefined, 'one of a control plane that counts otherwise');
  t.equal(changesOf('a;b'), undefined);
});

t.test('… and that of a response who sends it', async (t) => {
  const parts = { version: 'hash', seen: vector({ 'a;b': 1 }), hops: vector({ 'a;b': 15, c: 1 }), origin: 'east;1/k3' };
  const version = statedWholeVersion(parts);
  t.same([changesOf(version), sharesIn(version), originIn(version)], [parts.seen, '', parts.origin]);
  t.same(hopsIn(version), parts.hops, 'and how far away others are');
  t.same(hopsIn(statedWholeVersion({ ...parts, hops: vector({}) })), vector({}), 'nobody is an answer');
  t.equal(statedWholeVersion({ ...parts, seen: vector({ a: 1 }), origin: '' }), 'hash;a=1');
  for (const other of ['hash', 'hash;a=1;;o', 'hash;a=1;;o;c', 'hash;a=1;;o;c=0', 'hash;a=1;;o;c=1,c=2', '']) {
    t.equal(hopsIn(other), undefined, other);
  }
  t.same(hopsIn('hash;a=1;;o;c=1;more'), vector({ c: 1 }), 'there may be more some day');
  for (const other of ['hash', 'hash;a=1', 'hash;a=1;1*3.2*1', 'hash;a=1;;%', '']) t.equal(originIn(other), '', other);
});

t.test('… and whose which endpoint is', async (t) => {
  const version = statedVersion('hash', vector({ a: 1, b: 2 }), '1*3.2*1');
  t.equal(version, 'hash;a=1,b=2;1*3.2*1');
  t.same(changesOf(version), vector({ a: 1, b: 2 }));
  t.equal(sharesIn(version), '1*3.2*1');
  t.equal(sharesIn('hash;a=1'), '');
});
