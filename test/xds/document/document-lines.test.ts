import t from 'tap';
import { DocumentLines, lineOf } from '../../../xds/document/document-lines.ts';

const yaml = `# shops
name: a
routes:
  - match: {prefix: /}
    to: b
  - match:
      prefix: /api
      headers: {"x.y": z}
---
---
other:
  - 1
  - 2
`;

t.test('a path names a line', async (t) => {
  t.equal(lineOf(yaml, 0, 'name'), 2);
  t.equal(lineOf(yaml, 0, 'routes'), 3);
  t.equal(lineOf(yaml, 0, 'routes[0]'), 4);
  t.equal(lineOf(yaml, 0, 'routes[0].to'), 5);
  t.equal(lineOf(yaml, 0, 'routes[1].match.prefix'), 7);
  t.equal(lineOf(yaml, 0, 'routes[1].match.headers["x.y"]'), 8);
  t.equal(lineOf(yaml, 0, ''), 2, 'the document as a whole');
});

t.test('a path into a later document counts lines of the whole file', async (t) => {
  t.equal(lineOf(yaml, 2, 'other[1]'), 13);
});

t.test('what is missing stands where it is missing', async (t) => {
  t.equal(lineOf(yaml, 0, 'routes[0].timeout'), 4);
  t.equal(lineOf(yaml, 0, 'routes[1].match.regex'), 6);
  t.equal(lineOf(yaml, 0, 'nowhere.at.all'), 2);
  t.equal(lineOf('just text', 0, 'a.b'), 1);
});

t.test('JSON and aliases have lines too', async (t) => {
  t.equal(lineOf('{\n "a": {\n  "b": [1,\n   {"c": 2}]}}', 0, 'a.b[1].c'), 4);
  t.equal(lineOf('x: &x {k: 1}\ny:\n  - *x\n', 0, 'y[0].k'), 3);
});

t.test('every place of a file of thousands is found without reading it thousands of times', async (t) => {
  const count = 5_000;
  const documents = new DocumentLines('a:\n  b: c\n---\n'.repeat(count));
  const list = new DocumentLines(`list:\n${'- a\n'.repeat(count)}`);
  const indices = [...Array(count).keys()];
  t.ok(indices.every((index) => documents.lineOf(index, 'a.b') === 3 * index + 2));
  t.ok(indices.every((index) => list.lineOf(0, `list[${index}]`) === index + 2));
});
