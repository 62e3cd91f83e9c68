import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { parseDocument, parseDocuments, parseFile } from '../../../xds/document/config-document.ts';
import { lineOf } from '../../../xds/document/document-lines.ts';
import { onlyItems } from '../../support/only-items.ts';

function parsed(text: string) {
  const problems = new Problems();
  return { tree: parseDocument(text, problems), problems: problems.list.map(({ message }) => message) };
}

t.test('JSON and YAML give the same tree', async (t) => {
  const tree = { a: [1, 'b', true, null] };
  t.same(parsed('{"a": [1, "b", true, null]}').tree, tree);
  t.same(parsed('a:\n- 1\n- b\n- true\n- ~\n').tree, tree);
  t.same(parsed('  {a: [1, b, true, null]}').tree, tree, 'a flow mapping begins like JSON');
});

t.test('words that older YAML takes for booleans are text', async (t) => {
  t.same(parsed('a: yes\nb: on\nc: 1_000').tree, { a: 'yes', b: 'on', c: '1_000' });
});

t.test(
  'an empty document is a problem, as a file that was cut off must not start a proxy without listeners',
  async (t) => {
    const problems = ['is empty; the least that can be started is {}'];
    for (const text of ['', '\n', '# a comment\n  # another', 'null', '---\n']) {
      t.same(parsed(text), { tree: undefined, problems });
    }
  },
);

t.test('a file that is called .json has to be JSON', async (t) => {
  const of = (path: string, text: string) => {
    const problems = new Problems();
    return parseFile(path, text, problems) ?? problems.list.map(({ message }) => message);
  };
  const problem = 'is not JSON: line 1, column 1: expected a value, found "a"; a file with YAML must be called .yaml';
  t.same(of('x.JSON', 'a: 1'), [problem]);
  t.same(of('x.yaml', 'a: 1'), { a: 1 });
  t.same(of('x.yaml', '{"a": 1}'), { a: 1 });
  t.same(of('x.json', '\ufeff{"a": 1}'), { a: 1 }, 'with a byte order mark, as some editors write it');
  t.same(of('x.json', ' \n'), ['is empty; the least that can be started is {}']);
});

t.test('a syntax error is named with line and column', async (t) => {
  t.match(parsed('a: 1\nb: [1,\n').problems[0], /^line \d+, column \d+: ./);
  t.match(parsed('a: 1\na: 2\n').problems[0], /^line 2, column 1: .*duplicate/i);
  t.match(parsed('{"a": 1,, }').problems[0], /^line 1, column \d+: /);
  t.equal(parsed('a: 1\n---\nb: 2\n').problems.length, 1, 'one document');
});

t.test('JSON that is nested deeper than lines are found in is refused, and nothing throws', async (t) => {
  const nested = (levels: number) => '{"a":'.repeat(levels) + 1 + '}'.repeat(levels);
  const lineOfInnermost = (levels: number) => lineOf(nested(levels), 0, Array(levels).fill('a').join('.'));
  t.same(parsed(nested(98)).problems, []);
  t.equal(lineOfInnermost(98), 1);
  for (const levels of [99, 200_000]) {
    t.match(parsed(nested(levels)).problems[0], /^line 1, column \d+: nesting exceeded maxDepth \(100\)$/);
    const problems = new Problems();
    t.equal(parseDocuments(nested(levels), problems), undefined);
    t.equal(problems.list.length, 1);
  }
});

t.test('aliases are taken, but not those that unfold to millions of values or for ever', async (t) => {
  t.same(parsed('a: &x {k: 1}\nb: [*x, *x]').tree, { a: { k: 1 }, b: [{ k: 1 }, { k: 1 }] });
  const bomb = ['a0: &x0 {k: 1}'];
  for (let level = 1; level < 12; level++) {
    bomb.push(
      `a${level}: &x${level} [${Array(9)
        .fill(`*x${level - 1}`)
        .join(', ')}]`,
    );
  }
  const problems = ['has more than 10000000 values when its aliases are unfolded'];
  t.same(parsed(bomb.join('\n')), { tree: undefined, problems });
  t.same(parsed('a: &x {b: [*x]}'), { tree: undefined, problems });
  t.same(parsed('a: &x\n- *x\n').problems, problems);
});

t.test('a text may have several documents; empty ones are counted and left out', async (t) => {
  const problems = new Problems();
  t.same(parseDocuments('a: 1\n---\n# nothing\n---\nb: 2\n', problems), [
    { index: 0, tree: { a: 1 } },
    { index: 2, tree: { b: 2 } },
  ]);
  t.same(parseDocuments('{"a": 1}', problems), [{ index: 0, tree: { a: 1 } }]);
  t.same(parseDocuments('# only a comment\n', problems), []);
  t.same(problems.list, []);
  t.equal(parseDocuments('a: 1\n---\nb: [\n', problems), undefined);
  t.match(problems.list, onlyItems({ message: /^line 4, column \d+: / }));
});
