// CONTRIBUTING.md, "Data path": what runs for every request neither throws, nor reads the clock, nor builds arrays and
// closures to walk over a few items. Each rule is a whole-file rule; files that only run when a snapshot is compiled
// are named below with the reason, and an exception that is no longer needed fails, so that the lists cannot rot.

import t from 'tap';
import ts from 'typescript';
import { nodesOf, parse, pathsOf, placeOf } from './source-tree.ts';

// Replayable logic: time and chance are arguments (config/random.ts, the reactor's clock).
const PURE = 'proxy/{http,route,cluster,format,filter}/**/*.ts';
const PER_REQUEST = 'proxy/{http,route,cluster,format,filter,reactor}/**/*.ts';

/** Files of the data path's folders that run once a snapshot, a worker or a listener, never once a request. */
const COMPILE_TIME: ReadonlyMap<string, string> = new Map([]);

/** Files that may throw, with who catches it. */
const MAY_THROW: ReadonlyMap<string, string> = new Map([]);

interface Rule {
  readonly name: string;
  readonly exceptions: ReadonlyMap<string, string>;
  readonly paths: readonly string[];
  readonly matches: (node: ts.Node) => boolean;
  readonly offence: string;
  readonly innocent: string;
}

const RULES: readonly Rule[] = [
  {
    name: 'time and chance are passed in',
    exceptions: new Map(),
    paths: pathsOf([PURE, 'sampler/**/*.ts']),
    matches: (node) =>
      ts.isPropertyAccessExpression(node) &&
      /^(Math\.random|Date\.now|performance\.now|process\.hrtime|crypto\.randomUUID)$/.test(node.getText()),
    offence: 'const now = Date.now();',
    innocent: 'const now = clock.nowMs();',
  },
  {
    name: 'outcomes are values, nothing throws',
    exceptions: MAY_THROW,
    paths: pathsOf(PER_REQUEST),
    matches: (node) =>
      ts.isThrowStatement(node) || (ts.isNewExpression(node) && /Error$/.test(node.expression.getText())),
    offence: "throw new Error('no');",
    innocent: 'return LocalReply.noRoute;',
  },
  {
    name: 'no array is built to be walked once',
    exceptions: COMPILE_TIME,
    paths: pathsOf(PER_REQUEST),
    matches: (node) =>
      ts.isCallExpression(node) &&
      ts.isPropertyAccessExpression(node.expression) &&
      /^(map|filter|forEach|reduce|flatMap|entries|fromEntries|assign|keys|values)$/.test(node.expression.name.text) &&
      isArrayOrObjectCall(node),
    offence: 'const names = headers.map((header) => header.name);',
    innocent: 'for (let i = 0; i < headers.length; i++) table.add(i);',
  },
  {
    name: 'nothing is spread or collected',
    exceptions: COMPILE_TIME,
    paths: pathsOf(PER_REQUEST),
    matches: (node) =>
      ts.isSpreadElement(node) ||
      ts.isSpreadAssignment(node) ||
      (ts.isParameter(node) && node.dotDotDotToken !== undefined),
    offence: 'const edited = { ...head, status: 200 };',
    innocent: 'head.status = 200;',
  },
  {
    name: 'nothing is awaited and nothing is JSON',
    exceptions: COMPILE_TIME,
    paths: pathsOf(PER_REQUEST),
    matches: (node) =>
      ts.isAwaitExpression(node) ||
      (ts.isPropertyAccessExpression(node) && /^JSON\.(parse|stringify)$/.test(node.getText())),
    offence: 'const text = JSON.stringify(head);',
    innocent: 'writer.writeHead(head);',
  },
];

for (const rule of RULES) {
  t.test(rule.name, (t) => {
    const places = new Map(rule.paths.map((path) => [path, offences(rule, parse(path))]));
    t.same(
      [...places].flatMap(([path, found]) => (rule.exceptions.has(path) ? [] : found)),
      [],
    );
    t.equal(offences(rule, parse('x.ts', rule.offence)).length > 0, true, `finds: ${rule.offence}`);
    t.same(offences(rule, parse('x.ts', rule.innocent)), [], `leaves: ${rule.innocent}`);
    t.end();
  });
}

for (const exceptions of [COMPILE_TIME, MAY_THROW]) {
  for (const [path, reason] of exceptions) {
    t.test(`the exception for ${path} is still needed (${reason})`, (t) => {
      const rules = RULES.filter((rule) => rule.exceptions === exceptions && rule.paths.includes(path));
      t.ok(rules.some((rule) => offences(rule, parse(path)).length > 0));
      t.end();
    });
  }
}

function offences(rule: Rule, file: ts.SourceFile): string[] {
  return [...nodesOf(file)].filter(rule.matches).map((node) => placeOf(file, node));
}

// `table.entries` or `headers.values` of ours are no array methods: those that take no callback count on Object only.
function isArrayOrObjectCall(call: ts.CallExpression): boolean {
  const access = call.expression as ts.PropertyAccessExpression;
  const takesCallback = /^(map|filter|forEach|reduce|flatMap)$/.test(access.name.text);
  return takesCallback || access.expression.getText() === 'Object';
}
