// test/ mirrors the sources, so that the test of a file is found without a search and a file without one is seen.

import t from 'tap';
import ts from 'typescript';
import { nodesOf, parse, pathsOf, SHIPPED } from './source-tree.ts';

/** Files that are tested through another file's test, with the reason. */
const TESTED_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['proxy/main.ts', 'the composition root: every integration test starts it'],
  ['proxy/worker/main.ts', "the worker's entry: every integration test starts it"],
]);

const tests = new Set(pathsOf('test/**/*.test.ts'));
const sources = pathsOf(SHIPPED.map((folder) => `${folder}/**/*.ts`)).filter((path) => !path.endsWith('.d.ts'));

t.test('every shipped file with logic has a test at the mirrored path', (t) => {
  const isTested = (path: string) => tests.has(mirrorOf(path)) || TESTED_ELSEWHERE.has(path);
  t.same(sources.filter((path) => hasLogic(parse(path)) && !isTested(path)).map(mirrorOf), []);
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

function mirrorOf(path: string): string {
  return `test/${path.replace(/\.ts$/, '.test.ts')}`;
}

/** Types and tables of constants have nothing to test; a function body does. */
function hasLogic(file: ts.SourceFile): boolean {
  return [...nodesOf(file)].some((node) => ts.isFunctionLike(node) && 'body' in node && node.body !== undefined);
}
