import fc from 'fast-check';
import t from 'tap';
import type { StringMatcher } from '../../../config/matcher.ts';
import { compileStringMatcher } from '../../../proxy/route/string-matcher.ts';

t.test('every kind, with and without case', async (t) => {
  for (const [kind, value, ignoreCase, input, expected] of [
    ['exact', 'abc', false, 'abc', true],
    ['exact', 'abc', false, 'abcd', false],
    ['exact', 'abc', false, 'ABC', false],
    ['exact', 'aBc', true, 'AbC', true],
    ['prefix', 'ab', false, 'abc', true],
    ['prefix', 'AB', true, 'abc', true],
    ['suffix', 'bc', false, 'abc', true],
    ['suffix', 'ab', false, 'abc', false],
    ['contains', 'b', false, 'abc', true],
    ['contains', 'B', true, 'abc', true],
    ['contains', 'x', true, 'abc', false],
    // U+00C9 and U+00E9 in UTF-8: only ASCII letters have a case.
    ['exact', '\u00c9', true, '\u00c3\u0089', true],
    ['exact', '\u00c9', true, '\u00c3\u00a9', false],
    ['exact', '\u00c9', true, '\u00e3\u0089', false],
    ['exact', 'A\u00c9', true, 'a\u00c3\u0089', true],
  ] as const) {
    const matches = compileStringMatcher({ kind, value, ignoreCase });
    t.equal(matches(input), expected, JSON.stringify([kind, value, ignoreCase, input]));
  }
});

t.test('an expression matches the whole value', async (t) => {
  const matches = compileStringMatcher({ kind: 'regex', regex: 'a|ab' });
  t.equal(matches('ab'), true);
  t.equal(matches('abc'), false);
  t.equal(matches('xa'), false);
});

t.test('an expression sees the text that the bytes spell', async (t) => {
  const matches = compileStringMatcher({ kind: 'regex', regex: '^.$' });
  t.equal(matches('\u00c3\u00a9'), true);
  t.equal(matches('ab'), false);
});

t.test('an expression that would explode elsewhere takes linear time', async (t) => {
  const matches = compileStringMatcher({ kind: 'regex', regex: '(a*)*(a*)*b' });
  t.equal(matches('a'.repeat(20_000)), false);
});

t.test('a pattern that is a literal and `.*` is a prefix, also across any other pattern', async () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '/', '\n') }), (value) => {
      const quick: StringMatcher = { kind: 'regex', regex: '/a.*' };
      const slow: StringMatcher = { kind: 'regex', regex: '(?:/a).*' };
      return compileStringMatcher(quick)(value) === compileStringMatcher(slow)(value);
    }),
  );
});
