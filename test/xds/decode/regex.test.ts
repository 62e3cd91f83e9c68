import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { decodeRegex, decodeRegexSubstitution } from '../../../xds/decode/regex.ts';

function substitute(regex: string, substitution: string) {
  const problems = new Problems();
  const value = decodeRegexSubstitution({ pattern: { regex }, substitution }, problems);
  return { value, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('a pattern that compiles is kept as it was written', async (t) => {
  const problems = new Problems();
  t.equal(decodeRegex({ regex: '^/a/(\\d+)$' }, problems), '^/a/(\\d+)$');
  t.equal(decodeRegex(undefined, problems), undefined);
  t.ok(problems.isEmpty);
});

t.test('a pattern that RE2 does not have is a problem at its path', async (t) => {
  for (const regex of ['a(', '(?=a)', '\\1', '(?P<n>']) {
    const problems = new Problems('match');
    t.equal(decodeRegex({ regex }, problems), undefined);
    t.equal(problems.list[0]?.path, 'match.regex', regex);
  }
});

t.test('a pattern that would take long to compile is a problem', async (t) => {
  for (const regex of ['(a|b)*'.repeat(20_000), 'ab{1000}'.repeat(100), `${'a'.repeat(1000)}b{1,1000}`]) {
    const problems = new Problems();
    t.equal(decodeRegex({ regex }, problems), undefined);
    t.match(problems.list[0]?.message, /too large/);
  }
  const problems = new Problems();
  t.equal(decodeRegex({ regex: '[a-z]{1,255}' }, problems), '[a-z]{1,255}');
  t.ok(problems.isEmpty);
});

t.test('a substitution may name the groups that exist', async (t) => {
  t.same(substitute('(a)(b)', '\\2\\1\\0\\\\').value, { regex: '(a)(b)', substitution: '\\2\\1\\0\\\\' });
  t.match(
    substitute('(a)', '\\2').problems[0],
    /^substitution: \\2 names a group that the pattern does not have; it has 1/,
  );
  t.match(substitute('a', '\\x').problems[0], /^substitution: \\x is neither a group nor an escaped backslash/);
  t.match(substitute('a', 'b\\').problems[0], /neither a group/);
  t.match(substitute('a(', 'b').problems[0], /^pattern\.regex: /);
});
