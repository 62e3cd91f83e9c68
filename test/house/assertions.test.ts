// CONTRIBUTING.md, "Tests": a test that cannot fail shows nothing. These are the ways to write one with tap by mistake
// that can be told from the source alone.

import t from 'tap';
import ts from 'typescript';
import { noFields, noItems } from '../support/empty-patterns.ts';
import { nodesOf, parse, pathsOf, placeOf } from './source-tree.ts';

/** What a test calls that shows nothing. */
const arrangements = /^(end|plan|comment|teardown|testdir|before|after|beforeEach|afterEach)$/;

const tests = pathsOf('test/**/*.ts').map((path) => parse(path));

t.test('no pattern has an empty list or object: use noItems, noFields or t.same', (t) => {
  t.same(tests.flatMap(emptyPatterns), []);
  const found = (text: string) => emptyPatterns(parse('x.ts', text)).length;
  t.equal(found('t.match(a, [])'), 1);
  t.equal(found('t.match(a, { problems: [], value: { metadata: {} } }, "b")'), 2);
  t.equal(found('t.hasStrict(a, [{ b: [] as const }, new Map()])'), 2, 'hasStrict is no stricter');
  t.equal(found('t.match(a, { b: [1], c: noItems }); t.same(a, []); t.notMatch(a, {}); text.match(/a/)'), 0);
  t.end();
});

t.test('what stands for an empty list or object in a pattern matches nothing else', (t) => {
  t.match({ a: [], b: {} }, { a: noItems, b: noFields });
  for (const a of [[1], {}, undefined, null, 'a', new Set()]) t.notMatch({ a }, { a: noItems });
  for (const b of [{ c: 1 }, [], undefined, null]) t.notMatch({ b }, { b: noFields });
  t.end();
});

t.test('nothing that is always true is asserted to be', (t) => {
  t.same(tests.flatMap(alwaysTrue), []);
  const found = (text: string) => alwaysTrue(parse('x.ts', text)).length;
  t.equal(found('t.ok([a]); t.ok({ a }); t.ok(() => a); t.ok(list.filter((b) => b)); t.ok((list.map(c) as D))'), 5);
  t.equal(found('t.ok(list.some((b) => b)); t.ok(list.filter((b) => b).length); t.ok(a === b)'), 0);
  t.end();
});

t.test('an assertion about a promise is awaited or returned', (t) => {
  t.same(tests.flatMap(unawaited), []);
  const found = (text: string) => unawaited(parse('x.ts', text)).length;
  t.equal(found('t.rejects(a()); t.resolves(a());'), 2);
  t.equal(
    found('await t.rejects(a()); const b = () => t.rejects(a()); async function c() { return t.resolves(a()); }'),
    0,
  );
  t.end();
});

t.test('every test asserts something', (t) => {
  t.same(tests.flatMap(withoutAssertion), []);
  const found = (text: string) => withoutAssertion(parse('x.ts', text)).length;
  t.equal(found('t.test("a", async (t) => { t.teardown(b); run(); }); t.test("b", async () => { run(); });'), 2);
  t.equal(found('t.test("a", async (t) => { check(t, b); }); t.test("b", async (t) => { start({ t }); });'), 0);
  t.equal(found('t.test("a", async () => { fc.assert(b); }); t.test("b", async (t) => { t.equal(1, a); });'), 0);
  t.equal(found('import { ok } from "node:assert"; t.test("a", async () => { ok(b); });'), 0);
  t.end();
});

function emptyPatterns(file: ts.SourceFile): string[] {
  const patterns = callsOf(file, /^(match|has|hasStrict)$/).flatMap(({ arguments: [, pattern] }) => pattern ?? []);
  return patterns.flatMap((pattern) => [...partsOf(pattern)].filter(isEmpty)).map((node) => placeOf(file, node));
}

/** The pattern and what is written within it; what a call in it is given is none of it. */
function* partsOf(given: ts.Expression): Generator<ts.Expression> {
  const node = bare(given);
  yield node;
  if (ts.isArrayLiteralExpression(node)) for (const element of node.elements) yield* partsOf(element);
  if (!ts.isObjectLiteralExpression(node)) return;
  for (const property of node.properties) if (ts.isPropertyAssignment(property)) yield* partsOf(property.initializer);
}

function isEmpty(node: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(node)) return node.elements.length === 0;
  if (ts.isObjectLiteralExpression(node)) return node.properties.length === 0;
  return ts.isNewExpression(node) && /^new (Map|Set)(\(\))?$/.test(node.getText());
}

function alwaysTrue(file: ts.SourceFile): string[] {
  return callsOf(file, /^ok$/)
    .filter(({ arguments: [value] }) => value !== undefined && isAlwaysTrue(bare(value)))
    .map((node) => placeOf(file, node));
}

function isAlwaysTrue(node: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(node) || ts.isObjectLiteralExpression(node)) return true;
  if (ts.isArrowFunction(node) || ts.isNewExpression(node) || node.kind === ts.SyntaxKind.TrueKeyword) return true;
  const givesList = /^(filter|map|flatMap|toSorted|split|entries|keys|values|matchAll)$/;
  return ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)
    ? givesList.test(node.expression.name.text)
    : false;
}

function unawaited(file: ts.SourceFile): string[] {
  return callsOf(file, /^(rejects|resolves|resolveMatch)$/)
    .filter((node) => ts.isExpressionStatement(node.parent))
    .map((node) => placeOf(file, node));
}

function withoutAssertion(file: ts.SourceFile): string[] {
  const isAssert = assertsIn(file);
  return callsOf(file, /^test$/)
    .filter((node) => {
      const body = node.arguments.at(-1);
      return body !== undefined && ts.isArrowFunction(body) && ![...nodesOf(body.body)].some(isAssert);
    })
    .map((node) => placeOf(file, node));
}

/** An assertion of tap, of fast-check or of Node, or a call that is given the test and may assert. */
function assertsIn(file: ts.SourceFile): (node: ts.Node) => boolean {
  const ofNode = new Set<string>();
  for (const statement of file.statements) {
    if (!ts.isImportDeclaration(statement) || !/^'node:assert|^"node:assert/.test(statement.moduleSpecifier.getText()))
      continue;
    for (const node of nodesOf(statement)) if (ts.isIdentifier(node)) ofNode.add(node.text);
  }
  return (node) => {
    if (ts.isShorthandPropertyAssignment(node)) return node.name.text === 't';
    if (!ts.isCallExpression(node)) return false;
    if (node.arguments.some((given) => given.getText() === 't')) return true;
    if (ts.isIdentifier(node.expression)) return ofNode.has(node.expression.text);
    return (
      node.expression.getText() === 'fc.assert' || (isOfTest(node) && !arrangements.test(node.expression.name.text))
    );
  };
}

type TestCall = ts.CallExpression & { readonly expression: ts.PropertyAccessExpression };

function callsOf(file: ts.SourceFile, name: RegExp): TestCall[] {
  return [...nodesOf(file)].filter((node) => isOfTest(node) && name.test(node.expression.name.text)) as TestCall[];
}

function isOfTest(node: ts.Node): node is TestCall {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  return node.expression.expression.getText() === 't';
}

/** Without parentheses and types around it. */
function bare(node: ts.Expression): ts.Expression {
  const isWrapped = ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression(node);
  return isWrapped ? bare(node.expression) : node;
}
