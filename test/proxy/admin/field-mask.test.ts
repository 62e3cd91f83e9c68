import fc from 'fast-check';
import t from 'tap';
import { applyMask, field, parseMask } from '../../../proxy/admin/field-mask.ts';

t.test('a field is found in either spelling', (t) => {
  t.equal(field({ a_b: 1 }, 'a_b'), 1);
  t.equal(field({ aB: 1 }, 'a_b'), 1);
  t.equal(field({}, 'a_b'), undefined);
  t.equal(field(null, 'a'), undefined);
  t.equal(field('text', 'a'), undefined);
  t.end();
});

t.test('paths are kept, through lists, with the type of a message', (t) => {
  const value = { '@type': 'x', a: [{ b: 1, c: 2 }, { c: 3 }], d: { e: 4 }, f: 5 };
  t.strictSame(applyMask(value, parseMask('a.b,d')), { '@type': 'x', a: [{ b: 1 }], d: { e: 4 } });
  t.equal(applyMask(value, parseMask('x.y')), undefined);
  t.equal(applyMask(value, parseMask('f.g')), undefined);
  t.equal(applyMask(value, parseMask('')), undefined);
  t.end();
});

t.test('whatever the document and the mask, nothing is made up', (t) => {
  fc.assert(
    fc.property(
      fc.jsonValue(),
      fc.array(fc.stringMatching(/^[a-c](\.[a-c]){0,3}$/), { maxLength: 4 }),
      (value, paths) => {
        const masked = applyMask(value, parseMask(paths.join(',')));
        return masked === undefined || JSON.stringify(masked).length <= JSON.stringify(value).length;
      },
    ),
  );
  t.end();
});
