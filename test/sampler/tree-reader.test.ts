import t from 'tap';
import { nameOf, type SettingsProblem, TreeReader } from '../../sampler/tree-reader.ts';

function readerOf(tree: unknown) {
  const problems: SettingsProblem[] = [];
  const reader = new TreeReader(tree, 'top', problems);
  return { reader, texts: () => problems.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('fields are read as what they are, and absent ones as what is said otherwise', (t) => {
  const { reader, texts } = readerOf({ rate: 0.5, on: false, law: 'a', name: 'x', inner: { count: 3 }, items: [1, 2] });
  t.equal(reader.number('rate', { least: 0, most: 1 }, 0), 0.5);
  t.equal(reader.number('absent', { least: 0, most: 1 }, 0.25), 0.25);
  t.equal(reader.flag('on', true), false);
  t.equal(reader.flag('off', true), true);
  t.equal(reader.choice('law', ['a', 'b'], 'b'), 'a');
  t.equal(reader.choice('other', ['a', 'b'], 'b'), 'b');
  t.equal(reader.text('name'), 'x');
  t.equal(reader.text('nobody'), undefined);
  t.equal(reader.mapping('inner').number('count', { least: 0, most: 9, isWhole: true }, 0), 3);
  t.same(reader.mapping('nothing').entries(), []);
  t.same(reader.list('items', 2), [1, 2]);
  t.equal(reader.list('none', 2), undefined);
  reader.end();
  t.same(texts(), []);
  t.end();
});

t.test('a number is within its range and whole where it must be', (t) => {
  const { reader, texts } = readerOf({ a: 2, b: 1.5, c: Number.NaN, d: '1' });
  for (const field of 'abcd') t.equal(reader.number(field, { least: 0, most: 1.9, isWhole: true }, 7), 7);
  t.same(texts(), [
    'top.a: must be a whole number from 0 to 1.9, not 2',
    'top.b: must be a whole number from 0 to 1.9, not 1.5',
    'top.c: must be a whole number from 0 to 1.9, not NaN',
    'top.d: must be a whole number from 0 to 1.9, not "1"',
  ]);
  t.end();
});

t.test('a field that nobody took is refused, with those that were', (t) => {
  const { reader, texts } = readerOf({ known: 'x', 'un known': 1 });
  reader.text('known');
  reader.text('also');
  reader.end();
  t.same(texts(), ['top["un known"]: is not a field; here may be known or also']);
  t.end();
});

t.test('what is null is nothing that was meant', (t) => {
  const { reader, texts } = readerOf({ a: null, b: null, c: null });
  reader.text('a');
  reader.list('b', 1);
  reader.mapping('c');
  t.same(texts(), [
    'top.a: must be a text of 1 to 256 characters, not nothing',
    'top.b: must be a list, not nothing',
    'top.c: must be a mapping of fields, not nothing',
  ]);
  t.end();
});

t.test('what is no mapping is told once, not for each field that it lacks', (t) => {
  const { reader, texts } = readerOf(['x']);
  reader.need('rate', 'it says how much');
  t.equal(reader.number('rate', { least: 0, most: 1 }, 0.5), 0.5);
  reader.end();
  t.same(texts(), ['top: must be a mapping of fields, not a list']);
  const lacking = readerOf({});
  lacking.reader.need('rate', 'it says how much');
  t.same(lacking.texts(), ['top.rate: is missing; it says how much']);
  t.end();
});

t.test('names of objects of the language are fields like others', (t) => {
  const { reader, texts } = readerOf(JSON.parse('{ "__proto__": { "rate": 1 }, "constructor": 2 }'));
  t.equal(reader.number('rate', { least: 0, most: 1 }, 0.5), 0.5, 'nothing is inherited');
  t.equal(reader.text('toString'), undefined);
  reader.end();
  t.equal(texts().length, 2);
  t.end();
});

t.test('values are told shortly', (t) => {
  t.equal(nameOf({}), 'a mapping');
  t.equal(nameOf('a\nb'), '"a\\nb"');
  t.equal(nameOf('x'.repeat(1000)).length, 40);
  t.end();
});
