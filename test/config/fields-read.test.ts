// What is decoded and read by nobody is a promise that is not kept: the file was accepted, nothing happens. Every field
// of the domain types is therefore named somewhere in the data plane or in what follows control planes, or refused or
// ignored by the support tables.

import t from 'tap';
import ts from 'typescript';
import { nodesOf, parse, pathsOf } from '../house/source-tree.ts';

/** Fields that the data plane does not read, and what becomes of a configuration that sets them. */
const UNREAD: ReadonlyMap<string, string> = new Map([
  ['metadataMatch', 'ignored: it is for the subset balancer'],
  ['dynamicStats', 'ignored: statistics are kept in any case'],
  ['startChildSpan', 'read where tracing is decoded, as the older way to say spawnUpstreamSpan'],
  ['representIpv4RemoteAsIpv4Mapped', 'refused'],
  ['unixSocketsAreInternal', 'refused'],
  ['respectExpectedRqTimeout', 'refused'],
  ['strictCheckHeaders', 'refused'],
  ['upstreamAccessLogs', 'refused'],
  ['codec', 'AUTO and HTTP1 are the same until there is HTTP/2'],
  ['maxDirectResponseBodyBytes', 'bodies are measured when they are decoded'],
  ['arguments', 'a rule of the grammar of formats, read in config/'],
  ['isMet', 'a rule of the grammar of formats, read in config/'],
  ['http2', 'what `istio.alpn` offers with HTTP/2, which is not spoken to endpoints yet'],
  ['intervalSeconds', 'read where sockets are made, in native/'],
  ['probes', 'read where sockets are made, in native/'],
  ['timeSeconds', 'read where sockets are made, in native/'],
  ['headerCase', 'read when the codec writes names in another case'],
]);

const READERS = ['proxy/**/*.ts', 'xds/client/*.ts', 'xds/assembly/*.ts'];

t.test('every field of the domain types is read by the data plane, or has a reason not to be', async (t) => {
  const read = new Set(pathsOf(READERS).flatMap((path) => [...fieldsRead(path)]));
  const declared = pathsOf('config/*.ts').flatMap((path) => [...fieldsDeclared(path)]);
  t.ok(declared.length > 200, `${declared.length} fields`);
  t.same(
    declared.filter((name) => !read.has(name) && !UNREAD.has(name)),
    [],
  );
  for (const name of UNREAD.keys()) t.ok(declared.includes(name), `${name} is a field`);
});

function* fieldsDeclared(path: string): Iterable<string> {
  for (const node of nodesOf(parse(path))) {
    if (ts.isPropertySignature(node) && ts.isIdentifier(node.name)) yield node.name.text;
  }
}

function* fieldsRead(path: string): Iterable<string> {
  for (const node of nodesOf(parse(path))) {
    if (ts.isPropertyAccessExpression(node)) yield node.name.text;
    else if (ts.isBindingElement(node)) yield (node.propertyName ?? node.name).getText();
  }
}
