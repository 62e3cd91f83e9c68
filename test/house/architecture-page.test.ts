// ARCHITECTURE.md walks through the code as `file:function`. A reference to something that moved is worse than none.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { nodesOf, parse, ROOT, textOf } from './source-tree.ts';

const PAGE = 'ARCHITECTURE.md';

t.test('every file:function that ARCHITECTURE.md names exists', (t) => {
  if (!existsSync(join(ROOT, PAGE))) {
    t.fail(`${PAGE} is missing`);
    t.end();
    return;
  }
  const references = referencesOf(textOf(PAGE));
  t.ok(references.length >= 20, `the life of a request has ${references.length} references`);
  t.same(
    references.filter((reference) => !exists(reference)),
    [],
  );
  t.end();
});

t.test('a reference is a path in the tree, a colon and a name', (t) => {
  t.same(referencesOf('see `proxy/http/x.ts:find`, `a.b:c` and `native/y.ts:Socket.read()`'), [
    { path: 'proxy/http/x.ts', name: 'find' },
    { path: 'native/y.ts', name: 'Socket.read' },
  ]);
  t.ok(exists({ path: 'config/problems.ts', name: 'Problems' }));
  t.ok(exists({ path: 'proxy/http/header-table.ts', name: 'HeaderTable.clear' }), 'a method by its class');
  t.notOk(exists({ path: 'config/problems.ts', name: 'nobodyHasThisName' }));
  t.notOk(exists({ path: 'config/absent.ts', name: 'Problems' }));
  t.end();
});

interface Reference {
  readonly path: string;
  readonly name: string;
}

function referencesOf(page: string): Reference[] {
  const found = page.matchAll(/`([\w.-]+(?:\/[\w.-]+)+\.(?:ts|mjs|c)):(#?[A-Za-z_][\w.]*)(?:\(\))?`/g);
  return [...found].map((match) => ({ path: match[1]!, name: match[2]! }));
}

function exists({ path, name }: Reference): boolean {
  if (!existsSync(join(ROOT, path))) return false;
  if (path.endsWith('.c')) return new RegExp(`\\b${name}\\s*\\(`).test(textOf(path));
  return declaredNames(parse(path)).has(name);
}

/** Functions, classes, constants and types by their name; methods as `method` and `Class.method`. */
function declaredNames(file: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>();
  for (const node of nodesOf(file)) {
    const name = (node as Partial<ts.NamedDeclaration>).name;
    if (name === undefined || !(ts.isIdentifier(name) || ts.isPrivateIdentifier(name))) continue;
    const isMember = ts.isClassElement(node) || ts.isTypeElement(node);
    if (isMember && 'name' in node.parent) names.add(`${(node.parent.name as ts.Identifier).text}.${name.text}`);
    if (isMember || ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node)) names.add(name.text);
    if (ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node))
      names.add(name.text);
  }
  return names;
}
