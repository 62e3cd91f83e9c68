// CONTRIBUTING.md, "Tests": a test that cannot fail shows nothing. These are the ways to write one with tap by mistake
// that can be told from the source alone.

import t from 'tap';
import ts from 'typescript';
import { noFields, noItems } from '../support/empty-patterns.ts';
import { onlyItems } from '../support/only-items.ts';
import { nodesOf, parse, pathsOf, placeOf } from './source-tree.ts';

/** What a test calls that shows nothing. */
const arrangements = /^(end|plan|comment|teardown|testdir|before|after|beforeEach|afterEach)$/;

const tests = pathsOf('test/**/*.ts').map((path) => parse(path));

t.test('no pattern has a list, which matches any that begins so, or an empty object, which matches any', (t) => {
  t.same(tests.flatMap(laxPatterns), [], 'use t.strictSame, t.matchOnly, onlyItems, noItems or noFields');
  const found = (text: string) => laxPatterns(parse('x.ts', text)).length;
  t.equal(found('t.match(a, [])'), 1);
  t.equal(found('t.match(a, { problems: [], value: { metadata: {} } }, "b")'), 2);
  t.equal(found('t.hasStrict(a, [{ b: [] as const }, new Map()])'), 3, 'hasStrict is no stricter');
  t.equal(found('t.match(a, [/b/]); t.match(a, { b: { c: [d] } }); t.match(a, b.map(c))'), 3);
  t.equal(found('const b = [1]; const c = { d: [2] }; t.match(a, b); t.match(a, { c }); t.match(a, { ...c })'), 3);
  t.equal(found('t.match(a, onlyItems([b], { c: [d] }))'), 2, 'nor what is in one');
  t.equal(found('t.match(a, { b: 1, c: noItems }); t.same(a, []); t.notMatch(a, {}); text.match(/a/)'), 0);
  t.equal(found('t.matchOnly(a, [b]); t.match(a, onlyItems(b)); t.match(a, b(["c"])); t.match(a, "c".concat(d))'), 0);
  t.end();
});

t.test('a list of items in a pattern matches one of that length alone', (t) => {
  t.match({ a: ['b', { c: 1, d: 2 }] }, { a: onlyItems(/b/, { c: 1 }) });
  for (const a of [['b'], ['b', { c: 1 }, 3], ['b', { c: 2 }], 'b', undefined, null]) {
    t.notMatch({ a }, { a: onlyItems(/b/, { c: 1 }) });
  }
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

function laxPatterns(file: ts.SourceFile): string[] {
  const variables = literalsOf(file);
  const patterns = callsOf(file, /^(match|has|hasStrict)$/).flatMap(({ arguments: [, pattern] }) => pattern ?? []);
  return patterns
    .flatMap((pattern) => [...partsOf(pattern, variables)].filter(isLax))
    .map((node) => placeOf(file, node));
}

type Literals = ReadonlyMap<string, ts.Expression>;

/** Lists and objects that a file has by name. */
function literalsOf(file: ts.SourceFile): Literals {
  const literals = new Map<string, ts.Expression>();
  for (const node of nodesOf(file)) {
    if (!ts.isVariableDeclaration(node) || node.initializer === undefined) continue;
    const value = bare(node.initializer);
    if (ts.isArrayLiteralExpression(value) || ts.isObjectLiteralExpression(value)) {
      literals.set(node.name.getText(), value);
    }
  }
  return literals;
}

/** The pattern and what is written within it; what another call than `onlyItems` is given is none of it. */
function* partsOf(given: ts.Expression, variables: Literals): Generator<ts.Expression> {
  const named = ts.isIdentifier(given) ? variables.get(given.text) : undefined;
  const node = named ?? bare(given);
  yield node;
  const within: ts.Expression[] = [];
  if (ts.isArrayLiteralExpression(node)) within.push(...node.elements);
  if (ts.isCallExpression(node) && node.expression.getText() === 'onlyItems') within.push(...node.arguments);
  if (ts.isObjectLiteralExpression(node))
    within.push(...node.properties.flatMap((property) => initializerOf(property) ?? []));
  for (const each of within) yield* partsOf(each, variables);
}

function initializerOf(property: ts.ObjectLiteralElementLike): ts.Expression | undefined {
  if (ts.isPropertyAssignment(property)) return property.initializer;
  if (ts.isShorthandPropertyAssignment(property)) return property.name;
  return ts.isSpreadAssignment(property) ? property.expression : undefined;
}

function isLax(node: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(node) || isListCall(node)) return true;
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
  return isListCall(node);
}

/** `values.map(…)` and the like. */
function isListCall(node: ts.Expression): boolean {
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
