import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { renderSupportPage, supportPage } from '../../build/generate-support-table.ts';
import { textOf } from '../house/source-tree.ts';

t.test('the page of what is supported says what the tables say; `npm run generate` writes it', async (t) => {
  t.equal(textOf(supportPage), renderSupportPage());
});

t.test('what is ignored has a reason, and what is refused a word on why or what instead', async (t) => {
  const rows = readFileSync(join(import.meta.dirname, '../..', supportPage), 'utf8').matchAll(
    /^\| `(.+)` \| (\w+) \| (.*) \|$/gm,
  );
  let count = 0;
  for (const [, field, support, note] of rows) {
    count++;
    if (support !== 'supported') t.ok(note!.length > 5, `${field}: ${note}`);
  }
  t.ok(count > 400, `${count} fields`);
});
