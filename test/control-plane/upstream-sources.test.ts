import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { DiscoveryServer } from '../../control-plane/discovery-server.ts';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { UpstreamSources } from '../../control-plane/upstream-sources.ts';
import { makeLeaf, makeRoot } from '../support/certificates.ts';
import { resourcesOfText, serviceText, typeUrls } from '../support/control-plane-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';
import { pause } from '../support/pause.ts';

function sourcesOf(upstreams: readonly string[], flags: readonly string[] = []) {
  const named = upstreams.flatMap((upstream) => ['--upstream', upstream]);
  const args = ['--dir', 'd', '--listen', 'unix:l', ...named, ...flags];
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  return {
    lines,
    sources: new UpstreamSources({ flags: parseControlPlaneFlags(args)!, origin: 'o', log, onChange: () => {} }),
  };
}

async function turnsUntil(isOver: () => boolean): Promise<void> {
  while (!isOver()) await new Promise((resolve) => setImmediate(resolve));
}

t.test('without upstreams everything is ready', async (t) => {
  const { sources } = sourcesOf([]);
  t.ok(sources.isReady);
  t.same(sources.statements(), []);
});

t.test('an upstream that cannot be reached is named on the console, and its state in the status', async (t) => {
  const { sources, lines } = sourcesOf(['east=127.0.0.1:1']);
  t.teardown(() => sources.stop());
  sources.start();
  t.notOk(sources.isReady);
  // It tries again by itself, so that it does not wait for long.
  await turnsUntil(() => lines.length > 0 && sources.statuses()[0]!.connection.kind === 'waiting');
  t.match(lines[0], /^upstream east: .*127\.0\.0\.1:1/);
  t.match(sources.statuses(), onlyItems({ name: 'east', target: '127.0.0.1:1', connection: { kind: 'waiting' } }));
});

t.test('an upstream that is this control plane itself is named, once', async (t) => {
  const cache = new SnapshotCache();
  const publish = (port: number) =>
    cache.update(new Map([[everyNode, { resources: resourcesOfText(serviceText('a', port)), origin: 'o' }]]));
  publish(1);
  const server = new DiscoveryServer({ cache, clock: () => 1, onRefusal: () => {} });
  t.teardown(() => server.close());
  const { sources, lines } = sourcesOf([`east=127.0.0.1:${await server.listen('127.0.0.1:0')}`]);
  t.teardown(() => sources.stop());
  sources.start();
  await turnsUntil(() => sources.isReady);
  const text = 'upstream east: its address leads to this control plane itself; correct it, or leave it out';
  t.same(lines.slice(-1), [text]);
  const held = () => sources.statements()[0]!.types.get(typeUrls['eds']!)!.byName.get('a')?.version;
  const before = held();
  publish(2);
  await turnsUntil(() => held() !== before);
  t.equal(lines.filter((line) => line === text).length, 1);
});

t.test('an upstream is told the node id, and what it sent is forgotten --source-ttl after it was lost', async (t) => {
  const cache = new SnapshotCache();
  cache.update(new Map([[everyNode, { resources: resourcesOfText(serviceText('a')) }]]));
  const server = new DiscoveryServer({ cache, clock: () => 1, onRefusal: () => {} });
  const address = `127.0.0.1:${await server.listen('127.0.0.1:0')}`;
  const { sources, lines } = sourcesOf([address], ['--node', 'sidecar~1', '--source-ttl', '1']);
  t.teardown(() => sources.stop());
  sources.start();
  await turnsUntil(() => sources.isReady);
  t.same(
    [...server.clients].map(({ node }) => node?.id),
    ['sidecar~1'],
  );
  const names = () => [...sources.statements()[0]!.types.get(typeUrls['cds']!)!.byName.keys()];
  t.same(names(), ['a']);
  await server.close();
  while (!lines.some((line) => line.includes('longer than --source-ttl'))) await pause();
  t.same(names(), []);
});

/** Serves one service to clients that have a certificate of `root`. */
async function startUpstream(t: Test, directory: string) {
  const root = makeRoot(directory, 'root');
  const { certificate, key } = makeLeaf({ directory, name: 'server', root, subjectAltName: 'DNS:istiod.example' });
  const cache = new SnapshotCache();
  cache.update(new Map([[everyNode, { resources: resourcesOfText(serviceText('a')) }]]));
  const server = new DiscoveryServer({ cache, clock: () => 1, onRefusal: () => {} });
  const port = await server.listen('127.0.0.1:0', {
    certificateChain: readFileSync(certificate),
    privateKey: readFileSync(key),
    clientAuthority: readFileSync(root.certificate),
  });
  t.teardown(() => server.close());
  return { root, upstream: `east=127.0.0.1:${port}` };
}

t.test('an upstream is followed by mutual TLS when its certificate is for the name that was said', async (t) => {
  const directory = t.testdir();
  const { root, upstream } = await startUpstream(t, directory);
  const client = makeLeaf({ directory, name: 'client', root, subjectAltName: 'DNS:union.example' });
  const shown = ['--upstream-cert', client.certificate, '--upstream-key', client.key];
  const secured = ['--upstream-ca', root.certificate, '--upstream-san', 'istiod.example'];
  const { sources } = sourcesOf([upstream], [...secured, ...shown]);
  t.teardown(() => sources.stop());
  sources.start();
  await turnsUntil(() => sources.isReady);
  t.match(sources.statuses(), onlyItems({ connection: { kind: 'connected' } }));
  t.same([...sources.statements()[0]!.types.get(typeUrls['cds']!)!.byName.keys()], ['a']);

  const other = sourcesOf([upstream], ['--upstream-ca', root.certificate, '--upstream-san', 'other.example', ...shown]);
  t.teardown(() => other.sources.stop());
  other.sources.start();
  await turnsUntil(() => other.lines.length > 0);
  t.match(other.lines[0], /other\.example/, 'a certificate of another name is refused');

  const unknown = sourcesOf([upstream], secured);
  t.teardown(() => unknown.sources.stop());
  unknown.sources.start();
  await turnsUntil(() => unknown.lines.length > 0);
  t.match(unknown.sources.statuses(), onlyItems({ connection: { kind: 'waiting' } }), 'as is who shows none');
});
