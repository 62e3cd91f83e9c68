import t from 'tap';
import { problemLines, problemText } from '../../control-plane/problem-text.ts';

t.test('a problem is told as editors and terminals know how to open it', async (t) => {
  t.equal(problemText({ file: 'a.yaml', line: 3, path: 'routes[0].to', message: 'no' }), 'a.yaml:3: routes[0].to: no');
  t.equal(problemText({ file: 'a.yaml', path: '', message: 'no' }), 'a.yaml: no');
});

t.test('what was told is not told again, and of what is left it is told when some was mended', async (t) => {
  t.same(problemLines(['a', 'b'], new Set()), ['a', 'b']);
  t.same(problemLines(['a', 'b'], new Set(['b', 'a'])), []);
  t.same(problemLines(['a', 'b', 'c'], new Set(['a', 'b'])), ['c', 'and 2 more: /status names all, as --check does']);
  t.same(problemLines(['b'], new Set(['a', 'b'])), ['b']);
  t.same(problemLines([], new Set(['a'])), []);
});

t.test('of very many the first are told', async (t) => {
  const many = Array.from({ length: 3000 }, (_, index) => `${index}`);
  t.same(problemLines(many, new Set()), [...many.slice(0, 20), 'and 2980 more: /status names all, as --check does']);
  t.same(problemLines(many.slice(1), new Set(many)).length, 21);
});
