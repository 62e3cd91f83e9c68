import fc from 'fast-check';
import { RE2JS } from 're2js';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { parseUriTemplate, parseUriTemplateRewrite } from '../../../xds/decode/uri-template.ts';

/** What the variables of a template have of a path; null where the path is not one of its. */
function capture(template: string, path: string): readonly string[] | null {
  const problems = new Problems();
  const parsed = parseUriTemplate(template, problems);
  if (parsed === undefined) throw new Error(problems.list[0]!.message);
  const matcher = RE2JS.compile(parsed.regex).matcher(path);
  if (!matcher.matches()) return null;
  return parsed.variables.map((_, index) => matcher.group(index + 1) ?? '');
}

function wrong(template: string): string {
  const problems = new Problems('path_template');
  if (parseUriTemplate(template, problems) !== undefined) return '';
  const [problem, ...others] = problems.list;
  return others.length === 0 ? problem!.message.replace(/^.*? is not a path template: /, '') : 'several problems';
}

t.test('a template is for paths of its segments', async (t) => {
  for (const [template, path, expected] of [
    ['/', '/', []],
    ['/', '/a', null],
    ['/a.b', '/a.b', []],
    ['/a.b', '/axb', null],
    ['/*/b', '/a/b', []],
    ['/*/b', '//b', null],
    ['/*/b', '/a/a/b', null],
    ['/{x}/', '/a/', ['a']],
    ['/{x}/', '/a', null],
    ['/{x=*}.m4s', '/a.b.m4s', ['a.b']],
    ['/{x=a/*/c}/{y=**}', '/a/b/c/', ['a/b/c', '']],
    ['/{x=a/*/c}/{y=**}', '/a/b/c/d/e', ['a/b/c', 'd/e']],
    ['/**', '/', []],
    ['/**/a', '/b/c/a', []],
    ['/**.mpd', '/a/b.mpd', []],
    ['/*', '/a=b*', []],
    ['/*', '/a"b', null],
    ['/a=b', '/a=b', []],
    ["/-._~%!$&'()+,;:@", "/-._~%!$&'()+,;:@", []],
  ] as const) {
    t.same(capture(template, path), expected, `${template} ${path}`);
  }
});

t.test('what is no template is a problem that says why', async (t) => {
  t.equal(wrong('a'), 'it begins with /');
  t.equal(wrong('/a//b'), '"" is neither a segment of a path, nor *, ** or {name}');
  t.equal(wrong('/a*'), '"a*" is neither a segment of a path, nor *, ** or {name}');
  t.equal(wrong('/**/{a}'), 'behind ** there is no other * and no variable');
  t.equal(wrong('/{a}.b/c'), 'behind {a} nothing can follow but the end of the path');
  t.equal(wrong('/{a}/{a}'), 'a stands twice');
  t.equal(wrong('/{a}/{b}/{c}/{d}/{e}/{f}'), 'it has more than 5 variables');
  t.equal(wrong('/{1a}'), '"1a" is no name of a variable, with 16 letters at most');
  t.equal(wrong(`/{${'a'.repeat(16)}}`), '');
  t.match(wrong(`/{${'a'.repeat(17)}}`), 'is no name of a variable');
});

t.test('a rewrite names variables of the match', async (t) => {
  const template = parseUriTemplate('/{a}/{b=x/**}', new Problems())!;
  const rewrite = (text: string) => {
    const problems = new Problems();
    return parseUriTemplateRewrite(text, template, problems) ?? problems.list.map(({ message }) => message);
  };
  t.equal(rewrite('/new'), '/new');
  t.equal(rewrite('/{b}/1{a}2{a}/'), '/\\2/1\\12\\1/');
  const refused = (text: string, why: string) => [`${JSON.stringify(text)} is not a rewrite of paths: ${why}`];
  t.same(rewrite('a'), refused('a', 'it begins with /, and has no empty segment'));
  t.same(rewrite('/a//b'), refused('/a//b', 'it begins with /, and has no empty segment'));
  t.same(rewrite('/{c}'), refused('/{c}', 'the match has no variable c'));
  t.same(rewrite('/{a'), refused('/{a', '/{a has characters that no path has'));
  t.same(rewrite('/\\1'), refused('/\\1', '/\\1 has characters that no path has'));
});

t.test('any text is a template that compiles, or one problem', async () => {
  const text = fc.array(
    fc.constantFrom('/', '*', '**', '{', '}', '=', 'a', 'b', '.', '(', '+', '{a}', '{b=*/c}', ' ', '\\'),
  );
  fc.assert(
    fc.property(text, (parts) => {
      const problems = new Problems();
      const template = parseUriTemplate(`/${parts.join('')}`, problems);
      if (template === undefined) return problems.list.length === 1;
      return problems.isEmpty && RE2JS.compile(template.regex).groupCount() === template.variables.length;
    }),
    { numRuns: 2000 },
  );
});
