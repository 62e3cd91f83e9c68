// CONTRIBUTING.md, "Data path": what runs for every request neither throws, nor reads the clock, nor builds arrays and
// closures to walk over a few items. Module scope, constructors and functions named `compile…` run before a request and
// may. So may what is named below, each with its reason; an exception that is no longer needed fails, so that the list
// cannot rot.

import t from 'tap';
import ts from 'typescript';
import { nodesOf, parse, pathsOf, placeOf } from './source-tree.ts';

// Replayable logic: time and chance are arguments (config/random.ts, the reactor's clock).
const PURE = 'proxy/{http,route,cluster,format,filter,tracing,transport,listener,istio,tls,engine}/**/*.ts';
// Not proxy/tls/ and proxy/listener/: contexts, judgement and the choice of a filter chain are over when a connection's first
// request comes, and bytes under TLS go through proxy/transport/ alone.
const PER_REQUEST = 'proxy/{http,route,cluster,format,filter,tracing,reactor,transport,istio,engine}/**/*.ts';

/** `file` or `file:function` that a plain request never runs, with what does. */
const NOT_PER_REQUEST: ReadonlyMap<string, string> = new Map([
  ['proxy/cluster/balancer-compiler.ts', 'once an endpoint set'],
  ['proxy/cluster/endpoint-set.ts', 'once an assignment'],
  ['proxy/cluster/priority-load.ts', 'once an assignment or a change of health'],
  ['proxy/cluster/cluster-runtime.ts:cleanUp', 'once a second'],
  ['proxy/cluster/cluster-runtime.ts:#removeOriginalDestinations', 'when a cluster goes'],
  ['proxy/engine/second-engine.ts:loadSecondEngine', 'once a worker'],
  ['proxy/engine/undici/stream-socket.ts:pipe', 'a call that undici does not make'],
  ['proxy/engine/undici/undici-connection.ts:#giveSocket', 'a connection that was lost before the library took it'],
  ['proxy/engine/undici/undici-connection.ts:errorOf', 'a connection that ends by an error'],
  ['proxy/engine/undici/undici-connector.ts:loadUndici', 'once a worker'],
  ['proxy/engine/uws/library.ts', 'once a worker'],
  ['proxy/format/filter-state-operators.ts:plainText', 'once a peer'],
  ['proxy/format/filter-state-operators.ts:knownFields', 'once a peer'],
  ['proxy/format/filter-state-operators.ts:typed', 'once a peer'],
  ['proxy/format/format-context.ts:of', 'a log line that asks for structured metadata'],
  ['proxy/format/format-context.ts:sorted', 'a log line that asks for structured metadata'],
  ['proxy/format/tls-operators.ts:readChain', 'once a certificate'],
  ['proxy/format/json-format.ts:quote', 'a value of a JSON log line that needs escapes'],
  ['proxy/format/metadata-operators.ts:dynamic', 'a log line that asks for a whole namespace of metadata'],
  ['proxy/http/connection-manager.ts:drain', 'once, when draining begins'],
  ['proxy/http/connection-manager.ts:setRoutes', 'when a table of routes by name is replaced'],
  ['proxy/http/forwarded-client-cert.ts:clientCertElement', 'once a connection'],
  ['proxy/http/forwarded-client-cert.ts:detailPairs', 'once a connection'],
  ['proxy/http/forwarded-client-cert.ts:encodedPem', 'once a connection'],
  ['proxy/http/local-reply-writer.ts:jsonBody', 'a local reply to a client that asks for JSON'],
  ['proxy/istio/metric-series.ts:open', 'once a series'],
  ['proxy/istio/metric-series.ts:#openOther', 'a series that there is no room for'],
  ['proxy/istio/metric-series.ts:#makeRoom', 'a sweep that finds no room'],
  ['proxy/istio/metric-tags.ts', 'once a filter, and once a series'],
  ['proxy/istio/request-stats.ts:#open', 'once a series'],
  ['proxy/istio/request-stats.ts:responseFlagsText', 'once a series'],
  ['proxy/istio/struct-wire.ts:encodeStruct', 'once a connection manager'],
  ['proxy/istio/struct-wire.ts:varintBytes', 'once a connection manager'],
  ['proxy/istio/tag-values.ts:trafficTags', 'once a series'],
  ['proxy/istio/tag-values.ts:ownTags', 'once a series'],
  ['proxy/istio/tcp-stats.ts:#tagsOf', 'once a connection'],
  ['proxy/istio/worker-istio.ts:identify', 'once a worker'],
  ['proxy/istio/workload.ts:workloadOfNode', 'once a connection manager'],
  ['proxy/istio/workload.ts:workloadOfStruct', 'once a peer, and once a connection'],
  ['proxy/istio/workload.ts:workloadOfEndpoint', 'once a series, and once a connection'],
  ['proxy/reactor/pipe-file.ts:outcomeOf', 'passes on what is no errno: a mistake in a call, which ends the process'],
  ['proxy/reactor/reactor.ts:start', 'a call in the wrong order ends the process'],
  ['proxy/reactor/reactor.ts:#handle', 'epoll_wait fails only for a mistake of ours, which ends the process'],
  ['proxy/reactor/reactor.ts:#onWakeUpEvent', 'an eventfd fails only for a mistake of ours, which ends the process'],
  ['proxy/reactor/timer-wheel.ts:neverFires', 'cannot happen, and ends the process if it does'],
  ['proxy/route/retry-policy.ts:listItems', 'a request that brings x-envoy-retry headers'],
  ['proxy/route/retry-policy.ts:listedCodes', 'a request that brings x-envoy-retry headers'],
  ['proxy/route/retry-policy.ts:namedConditions', 'a request that brings x-envoy-retry headers'],
  ['proxy/route/retry-policy.ts:namedHeaders', 'a request that brings x-envoy-retry headers'],
  ['proxy/route/retry-policy.ts:requestedBy', 'a request that brings x-envoy-retry headers'],
  ['proxy/route/route-compiler.ts', 'once a route configuration'],
  ['proxy/route/route-change.ts', 'once a change of a table of routes by name'],
  ['proxy/route/route-tables.ts', 'once a change of a table of routes by name'],
  ['proxy/route/route-match.ts:explain', 'asked by the admin interface'],
  ['proxy/tracing/recording-settings.ts:recordingSettings', 'when the settings change'],
  [
    'proxy/tracing/sampling-memory.ts:#write',
    "the main thread's side; a threshold of another length is a mistake of ours",
  ],
  ['proxy/tracing/server-timing.ts:takeTraceTiming', 'a response that says of a trace that it is kept'],
  ['proxy/tracing/span-recorder.ts:#shapeOf', 'once a route'],
]);

interface Rule {
  readonly name: string;
  readonly paths: readonly string[];
  readonly matches: (node: ts.Node) => boolean;
  readonly offence: string;
  readonly innocent: string;
}

const RULES: readonly Rule[] = [
  {
    name: 'time and chance are passed in',
    paths: pathsOf([PURE, 'sampler/**/*.ts']),
    matches: (node) =>
      ts.isPropertyAccessExpression(node) &&
      /^(Math\.random|Date\.now|performance\.now|process\.hrtime|crypto\.randomUUID)$/.test(node.getText()),
    offence: 'const now = Date.now();',
    innocent: 'const now = clock.nowMs();',
  },
  {
    name: 'outcomes are values, nothing throws',
    paths: pathsOf(PER_REQUEST),
    matches: (node) =>
      ts.isThrowStatement(node) || (ts.isNewExpression(node) && /Error$/.test(node.expression.getText())),
    offence: "throw new Error('no');",
    innocent: 'return LocalReply.noRoute;',
  },
  {
    name: 'no array is built to be walked once',
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
    const found = rule.paths.flatMap((path) => offences(rule, parse(path)));
    t.same(
      found.filter((offence) => !isExcepted(offence)).map(({ place, owner }) => `${place} in ${owner}`),
      [],
    );
    t.equal(offences(rule, inFunction(rule.offence)).length > 0, true, `finds: ${rule.offence}`);
    t.same(offences(rule, inFunction(rule.innocent)), [], `leaves: ${rule.innocent}`);
    t.end();
  });
}

t.test('every exception is still needed', (t) => {
  const found = RULES.flatMap((rule) => rule.paths.flatMap((path) => offences(rule, parse(path))));
  const needed = new Set(found.flatMap(({ path, owner }) => [path, owner]));
  t.same(
    [...NOT_PER_REQUEST.keys()].filter((exception) => !needed.has(exception)),
    [],
  );
  t.end();
});

interface Offence {
  readonly path: string;
  readonly place: string;
  /** `file:function`, the outermost function around it. */
  readonly owner: string;
}

function offences(rule: Rule, file: ts.SourceFile): Offence[] {
  const found: Offence[] = [];
  for (const node of nodesOf(file)) {
    if (!rule.matches(node)) continue;
    const owner = ownerOf(node);
    if (owner === undefined || owner.startsWith('compile')) continue;
    found.push({ path: file.fileName, place: placeOf(file, node), owner: `${file.fileName}:${owner}` });
  }
  return found;
}

function isExcepted({ path, owner }: Offence): boolean {
  return NOT_PER_REQUEST.has(path) || NOT_PER_REQUEST.has(owner);
}

/** The outermost named function around a node; undefined in module scope and in constructors. */
function ownerOf(node: ts.Node): string | undefined {
  let owner: string | undefined;
  for (let at: ts.Node = node; at.parent !== undefined; at = at.parent) {
    if (ts.isConstructorDeclaration(at)) return undefined;
    if (ts.isFunctionDeclaration(at) || ts.isMethodDeclaration(at)) owner = at.name?.getText();
    else if (ts.isAccessor(at)) owner = at.name.getText();
    else if (ts.isFunctionLike(at) && ts.isVariableDeclaration(at.parent)) owner = at.parent.name.getText();
    else if (ts.isFunctionLike(at)) owner ??= 'anonymous';
  }
  return owner;
}

function inFunction(statement: string): ts.SourceFile {
  return parse('x.ts', `function f() { ${statement} }`);
}

// `table.entries` or `headers.values` of ours are no array methods: those that take no callback count on Object only.
function isArrayOrObjectCall(call: ts.CallExpression): boolean {
  const access = call.expression as ts.PropertyAccessExpression;
  const takesCallback = /^(map|filter|forEach|reduce|flatMap)$/.test(access.name.text);
  return takesCallback || access.expression.getText() === 'Object';
}
