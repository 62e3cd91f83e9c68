import fc from 'fast-check';
import t from 'tap';
import { Pattern } from '../../sampler/pattern.ts';

t.test('a star stands for any characters, others for themselves', (t) => {
  const cases: readonly [string, string, boolean][] = [
    ['reviews', 'reviews', true],
    ['reviews', 'REVIEWS', true],
    ['reviews', 'reviews-v2', false],
    ['reviews*', 'reviews-v2', true],
    ['*payment*', 'eu.payments.svc', true],
    ['*payment*', 'payment', true],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*c', 'a-c-b', false],
    ['/v1/*/items', '/v1/x/items', true],
    ['a.c', 'abc', false],
  ];
  for (const [pattern, value, isMatch] of cases) {
    t.equal(new Pattern(pattern).matches(value), isMatch, `${pattern} and ${value}`);
  }
  t.end();
});

t.test('matches what the same regular expression matches', (t) => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  const values = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  fc.assert(
    fc.property(texts, values, (text, value) => {
      return new Pattern(text).matches(value) === new RegExp(`^${text.replaceAll('*', '.*')}$`).test(value);
    }),
    { numRuns: 2_000 },
  );
  t.end();
});
