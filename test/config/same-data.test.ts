import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { isSameData } from '../../config/same-data.ts';

const leaf = fc.oneof(
  fc.string({ maxLength: 2 }),
  fc.integer({ min: 0, max: 3 }),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 2, max: 1 }),
);
const { data } = fc.letrec((tie) => ({
  data: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('data'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '0', 'length'), tie('data'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));

t.test('it says of any two what isDeepStrictEqual says', (t) => {
  const agree = (one: unknown, other: unknown) => isSameData(one, other) === isDeepStrictEqual(one, other);
  fc.assert(fc.property(data, data, agree), { seed: 4, numRuns: 5000 });
  fc.assert(
    fc.property(data, (each) => isSameData(each, structuredClone(each))),
    { seed: 4 },
  );
  t.pass();
  t.end();
});

t.test('a list is no record, and a key that is missing is no match', (t) => {
  t.notOk(isSameData([], {}));
  t.notOk(isSameData({}, []));
  t.notOk(isSameData({ length: 0 }, []));
  t.notOk(isSameData([1], new Uint8Array([1])));
  t.notOk(isSameData({ a: 1 }, { b: 1 }));
  t.notOk(isSameData({ a: 1 }, { a: 1, b: 1 }));
  t.notOk(isSameData({}, null));
  t.ok(isSameData({ a: [new Uint8Array([1])] }, { a: [new Uint8Array([1])] }));
  t.end();
});
