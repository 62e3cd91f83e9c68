import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import t from 'tap';
import { contentSecurityPolicy, page } from '../../../proxy/admin/page.ts';
import { dropReasons } from '../../../proxy/export/sampled-key.ts';
import { samplingReasonNames } from '../../../proxy/tracing/sampling-reason.ts';

const { body, type } = page();
const markup = String(body);

function contentOf(element: string): string {
  return new RegExp(`<${element}>([^]*?)</${element}>`).exec(markup)?.[1] ?? '';
}

t.test('the policy lets exactly the script and the style run that are in the page', (t) => {
  t.equal(type, 'text/html; charset=UTF-8');
  for (const element of ['script', 'style']) {
    const hash = createHash('sha256').update(contentOf(element)).digest('base64');
    t.ok(contentSecurityPolicy.includes(`${element}-src 'sha256-${hash}';`), element);
  }
  t.equal(markup.match(/<(script|style)\b/g)?.length, 2);
  t.notMatch(markup, /\s(on[a-z]+|style)="/, 'nothing inline that the policy would stop');
  t.end();
});

t.test('the script is valid, and sets text and no markup', (t) => {
  t.doesNotThrow(() => new Script(contentOf('script')));
  t.notMatch(contentOf('script'), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b/);
  t.end();
});

t.test('it works without a network: nothing is loaded from elsewhere', (t) => {
  t.notMatch(markup, /\b(?:src|href)="(?:https?:)?\/\//);
  t.notMatch(contentOf('style'), /@import|url\(/);
  t.end();
});

t.test('every element that the script looks for is in the page', (t) => {
  const ids = [...contentOf('script').matchAll(/byId\('([^']+)'\)/g)].map(([, id]) => id!);
  t.ok(ids.length > 15);
  for (const id of ids) t.ok(markup.includes(`id="${id}"`), id);
  t.end();
});

t.test('it can be read by a screen reader and used by keyboard', (t) => {
  t.match(markup, /<html lang="en">/);
  t.match(markup, /<label for="search"/);
  t.match(markup, /role="alert"/);
  for (const [head] of markup.matchAll(/<th\b[^>]*>/g)) t.match(head, /scope="col"/);
  t.match(contentOf('style'), /:focus-visible/);
  t.end();
});

t.test('every reason for which a trace is kept or lost has its words', (t) => {
  const wordsOf = (name: string): string => new RegExp(`const ${name} = \\{([^}]*)\\}`).exec(contentOf('script'))![1]!;
  for (const reason of samplingReasonNames.slice(1))
    t.match(wordsOf('keptReasons'), new RegExp(`\\b${reason}: '`), reason);
  for (const reason of dropReasons) t.match(wordsOf('dropReasons'), new RegExp(`\\b${reason}: '`), reason);
  t.end();
});

t.test('the tables of traces and of captured connections are hidden until there is something to show', (t) => {
  t.match(markup, /<section id="sampling"[^>]* hidden>/);
  t.match(markup, /<section id="errors-section"[^>]* hidden>/);
  t.match(markup, /<section id="capture"[^>]* hidden>/);
  t.end();
});
