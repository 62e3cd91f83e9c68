// Parts of RESULTS.md.
import t from 'tap';
import { replacePart } from '../../../bench/report/results-file.ts';

t.test('a part takes the place of the one with its title, others stay', async (t) => {
  const document = '# A\n\nold\n\n## Goals\n\n| x |\n\n# B\n\nkept\n';
  t.equal(replacePart(document, 'A', '# A\n\nnew\n'), '# A\n\nnew\n\n# B\n\nkept\n');
  t.equal(replacePart(document, 'B', '# B\n'), '# A\n\nold\n\n## Goals\n\n| x |\n\n# B\n');
});

t.test('a new part comes last, also into an empty file', async (t) => {
  t.equal(replacePart('# A\n', 'B', '# B\n'), '# A\n\n# B\n');
  t.equal(replacePart('', 'B', '# B\n'), '# B\n');
});

t.test('a title is compared as a whole', async (t) => {
  t.equal(replacePart('# A and more\n', 'A', '# A\n'), '# A and more\n\n# A\n');
});
