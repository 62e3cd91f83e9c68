// Who is sent from page to page at night must arrive: relative links of the documents lead to files and headings that are there.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { pathsOf, ROOT, textOf } from './source-tree.ts';

t.test('links of the documents lead somewhere', (t) => {
  const pages = ['*.md', 'docs/*.md', '*/README.md', 'proxy/*/README.md'].flatMap((pattern) => pathsOf(pattern));
  t.ok(pages.length > 15, `${pages.length} pages`);
  t.same(
    pages.flatMap((page) => linksOf(textOf(page)).filter((link) => !leadsSomewhere(page, link))),
    [],
  );
  t.end();
});

t.test('a heading is found by its words in lower case, joined by dashes', (t) => {
  t.same(anchorsOf('# A `b`: c, d\ntext\n## E f\n'), ['a-b-c-d', 'e-f']);
  t.same(linksOf('see [x](y.md#z) and [site](https://example.com)'), ['y.md#z']);
  t.notOk(leadsSomewhere('README.md', 'docs/README.md#nothing-of-this-name'));
  t.notOk(leadsSomewhere('README.md', 'docs/absent.md'));
  t.end();
});

function linksOf(page: string): readonly string[] {
  return [...page.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!).filter((link) => !link.startsWith('http'));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [file = '', anchor] = link.split('#');
  const target = file === '' ? page : join(dirname(page), file);
  if (!existsSync(join(ROOT, target))) return false;
  return anchor === undefined || !target.endsWith('.md') || anchorsOf(textOf(target)).includes(anchor);
}

/** As GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
  return [...page.matchAll(/^#+ (.*)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}
