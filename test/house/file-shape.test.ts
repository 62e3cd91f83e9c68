// CONTRIBUTING.md, "Shape": one file, one idea; a name that says which.

import { basename } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { codeLines, nodesOf, parse, pathsOf, placeOf, textOf } from './source-tree.ts';

const MAX_CODE_LINES = 400;
const NAMES_THAT_SAY_NOTHING = /^(utils?|helpers?|common|types?|index|misc|shared)\.(ts|mjs|js)$/;
// `x.test.ts`, `node-buffer.d.ts` and `run.ts` are all kebab-case nouns with dotted endings.
const KEBAB_CASE = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)+$/;
const BANNER = /^\s*(\/\/|\*) ?[-=#*]{3,}/m;

const sources = pathsOf('**/*.{ts,mjs}');

t.test('the rules look at real files', (t) => {
  t.ok(sources.length > 20, `${sources.length} files`);
  t.ok(sources.includes('config/snapshot.ts'));
  t.end();
});

t.test(`no file has more than ${MAX_CODE_LINES} lines of code`, (t) => {
  const long = sources
    .map((path) => ({ path, lines: codeLines(textOf(path)) }))
    .filter(({ lines }) => lines > MAX_CODE_LINES);
  t.same(long, []);
  t.equal(
    codeLines('// why\n\nconst a = 1;\n/** more\n * of it\n */\nconst b = 2;\n'),
    2,
    'comments and blanks are free',
  );
  t.end();
});

t.test('no comment is a banner', (t) => {
  t.same(
    sources.filter((path) => BANNER.test(textOf(path))),
    [],
  );
  t.ok(BANNER.test('const a = 1;\n  // ---- Receiving ----\n'), 'finds one');
  t.end();
});

t.test('every file name is kebab-case and says what is inside', (t) => {
  const isWrong = (path: string) => NAMES_THAT_SAY_NOTHING.test(basename(path)) || !KEBAB_CASE.test(basename(path));
  t.same(sources.filter(isWrong), []);
  t.ok(isWrong('proxy/utils.ts') && isWrong('proxy/index.ts') && isWrong('proxy/FooBar.ts'), 'finds the wrong ones');
  t.end();
});

t.test('no file passes on what another one exports', (t) => {
  t.same(
    sources.flatMap((path) => reExports(parse(path))),
    [],
  );
  t.same(reExports(parse('x.ts', "export { a } from './a.ts';\nexport * from './b.ts';")), ['x.ts:1', 'x.ts:2']);
  t.end();
});

t.test('no class extends another and none is decorated', (t) => {
  t.same(
    sources.flatMap((path) => inheritance(parse(path))),
    [],
  );
  t.same(inheritance(parse('x.ts', 'class A extends B {}\nclass E extends Error {}')), ['x.ts:1']);
  t.end();
});

function reExports(file: ts.SourceFile): string[] {
  const isReExport = (node: ts.Node) => ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined;
  return file.statements.filter(isReExport).map((node) => placeOf(file, node));
}

// An error class is the platform's way to say which error it is; everything else composes.
function inheritance(file: ts.SourceFile): string[] {
  const isInherited = (node: ts.Node) =>
    ts.isDecorator(node) ||
    (ts.isHeritageClause(node) &&
      node.token === ts.SyntaxKind.ExtendsKeyword &&
      ts.isClassLike(node.parent) &&
      !/Error$/.test(node.types[0]!.expression.getText(file)));
  return [...nodesOf(file)].filter(isInherited).map((node) => placeOf(file, node));
}
