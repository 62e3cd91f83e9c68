import t from 'tap';
import { compileSubstitution, Regex } from '../../../proxy/route/regex.ts';

function replaced(pattern: string, substitution: string, value: string): string {
  const regex = new Regex(pattern);
  return regex.replaceAll(value, compileSubstitution(substitution, regex));
}

t.test('substitutions speak of groups by number, as in RE2', async (t) => {
  t.equal(replaced('(a)(b)?', '[\\2\\1\\0]', 'xacab'), 'x[aa]c[baab]', 'a group that took no part is empty');
  t.equal(replaced('a', '\\\\1$&', 'a'), '\\1$&', 'a backslash is doubled, a dollar means nothing');
  t.equal(replaced('a', '<\\9>', 'a'), '<>', 'a group that there is not is empty');
  t.equal(replaced('a', 'b\\', 'a'), 'b\\');
});

t.test('every match is replaced, and no empty one where the last ended', async (t) => {
  t.equal(replaced('b*', 'x', 'abc'), 'xaxcx');
  t.equal(replaced('b+', '', 'bbb'), '');
  t.equal(replaced('z', 'x', 'abc'), 'abc');
});

t.test('text beyond ASCII stays what it was', async (t) => {
  t.equal(replaced('a', '\u00e9', '\u00c3\u00a9a'), '\u00c3\u00a9\u00c3\u00a9');
});

t.test('a malformed pattern is refused', async (t) => {
  t.throws(() => new Regex('(a'));
  t.throws(() => new Regex('(?=a)'), 'RE2 has no look-ahead');
});
