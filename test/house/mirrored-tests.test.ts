// test/ mirrors the sources, so that the test of a file is found without a search and a file without one is seen: the
// test is at the mirrored path, or, where small files are one idea together, a test in the mirrored folder imports it.

import { dirname, join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { codeLines, nodesOf, parse, pathsOf, SHIPPED, textOf } from './source-tree.ts';

/** A file below this is a part of the one that calls it, and tested there. Lines of code. */
const SMALL = 40;

/** Files that are tested through another file's test, with the reason. */
const TESTED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['proxy/main.ts', 'the choice of what runs: every integration test starts it'],
  ['proxy/command/serve.ts', 'the composition root: every integration test starts it'],
]);

const tests = new Map(pathsOf('test/**/*.test.ts').map((path) => [path, importsOf(parse(path))]));
const sources = pathsOf(SHIPPED.map((folder) => `${folder}/**/*.ts`)).filter((path) => !path.endsWith('.d.ts'));

t.test('every shipped file with more than a few lines of logic has a test at the mirrored path', (t) => {
  const isTested = (path: string) => tests.has(mirrorOf(path)) || isImportedBeside(path) || TESTED_ELSEWHERE.has(path);
  t.same(
    sources.filter((path) => codeLines(textOf(path)) > SMALL && hasLogic(parse(path)) && !isTested(path)),
    [],
  );
  t.equal(
    hasLogic(parse('x.ts', 'export interface A { readonly b: number }\nexport const C = { d: 1 } as const;')),
    false,
  );
  t.equal(hasLogic(parse('x.ts', 'export function f(a: number) { return a + 1; }')), true);
  t.end();
});

t.test('every exception is a file that exists and has no test of its own', (t) => {
  for (const [path, reason] of TESTED_ELSEWHERE) {
    t.ok(sources.includes(path), `${path} exists (${reason})`);
    t.notOk(tests.has(mirrorOf(path)), `${path} has no test of its own`);
  }
  t.end();
});

function isImportedBeside(path: string): boolean {
  const folder = `test/${dirname(path)}/`;
  return [...tests].some(([test, imports]) => test.startsWith(folder) && imports.has(path));
}

/** What a file imports of ours, as paths in the repository; types alone do not count. */
function importsOf(file: ts.SourceFile): ReadonlySet<string> {
  const imports = new Set<string>();
  for (const node of file.statements) {
    if (!ts.isImportDeclaration(node) || node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) continue;
    const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
    if (specifier.startsWith('.')) imports.add(join(dirname(file.fileName), specifier));
  }
  return imports;
}

function mirrorOf(path: string): string {
  return `test/${path.replace(/\.ts$/, '.test.ts')}`;
}

/** Types and tables of constants have nothing to test; a function body does. */
function hasLogic(file: ts.SourceFile): boolean {
  return [...nodesOf(file)].some((node) => ts.isFunctionLike(node) && 'body' in node && node.body !== undefined);
}
