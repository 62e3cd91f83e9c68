import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import type { Secret } from '../../../config/secret.ts';
import type { WrittenSecret } from '../../../config/written-secret.ts';
import { AssemblyBench, staticCluster, tcpListener } from '../../support/assembly-bench.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateYaml, makeSecretFiles, tlsCluster, tlsListener } from '../../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir());
const started = () => new AssemblyBench().startEmpty();
const sds = (name: string, timeout = '15s') =>
  `{name: ${name}, sds_config: {ads: {}, initial_fetch_timeout: ${timeout}}}`;
const shows = (...names: readonly string[]) =>
  `{tls_certificate_sds_secret_configs: [${names.map((name) => sds(name)).join(', ')}]}`;
const trusts = (name: string) => `{validation_context_sds_secret_config: ${sds(name)}}`;
const certificate = (name: string, of = files.leaf) =>
  `{name: ${name}, tls_certificate: ${certificateYaml(of, 'inline')}}`;
const trust = (name: string, of = files.root) =>
  `{name: ${name}, validation_context: {trusted_ca: {inline_string: ${JSON.stringify(of.chainPem)}}}}`;
const chainOf = (secret: Secret | undefined) => (secret?.kind === 'certificate' ? secret.certificateChain : undefined);

t.test('a listener and a cluster wait for their secrets, and serve with them', async (t) => {
  const bench = started();
  bench.respond('cds', { c: tlsCluster('c', trusts('roots')) });
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  t.same(
    [...bench.subscriptions].filter((each) => each.startsWith('sds')),
    ['sds roots', 'sds own'],
  );
  t.same([bench.snapshot.clusters.size, bench.snapshot.listeners.size], [0, 0]);
  t.same([bench.states('cds'), bench.states('lds')], [['c warming'], ['l warming']]);
  t.same(bench.respond('sds', { roots: trust('roots') }), []);
  t.same([bench.snapshot.clusters.size, bench.snapshot.listeners.size], [1, 0]);
  t.same(bench.respond('sds', { own: certificate('own') }), []);
  t.same([...bench.snapshot.listeners.keys()], ['l']);
  const reference = bench.snapshot.listeners.get('l')!.filterChains[0]!.tls!.certificates[0]!;
  t.equal(chainOf(bench.snapshot.secrets.get(reference.key)), files.leaf.chainPem);
  t.same(bench.states('sds'), ['own active', 'roots active']);
});

t.test('what waits longer than it should serves without, and gets its secret when it comes', async (t) => {
  const bench = started();
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  bench.absent('sds', 'own');
  t.same([[...bench.snapshot.listeners.keys()], bench.snapshot.secrets.size], [['l'], 0]);
  const count = bench.changes.length;
  bench.respond('sds', { own: certificate('own') });
  t.equal(bench.snapshot.secrets.size, 1);
  t.match(
    bench.changes.slice(count),
    onlyItems({ listeners: { set: noItems }, clusters: { set: noItems } }),
    'and nobody else is told',
  );
});

t.test('a rotation is a change of the secret alone, for all who use it', async (t) => {
  const bench = started();
  bench.respond('sds', {});
  bench.respond('cds', { c: tlsCluster('c', shows('own')), d: tlsCluster('d', shows('own')) });
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  bench.respond('sds', { own: certificate('own') });
  t.equal(bench.calls.filter((call) => call === '+sds own').length, 1);
  const count = bench.changes.length;
  bench.respond('sds', { own: certificate('own', files.other) });
  const [change, ...more] = bench.changes.slice(count);
  t.same(more, []);
  t.match(change, {
    listeners: { set: noItems },
    clusters: { set: noItems },
    assignments: { set: noItems },
    routes: { set: noItems },
  });
  t.same(
    change?.secrets.set.map(([key, secret]) => [key, chainOf(secret)]),
    [['ads own', files.other.chainPem]],
  );
  bench.respond('sds', { own: certificate('own', files.other) });
  t.equal(bench.changes.length, count + 1, 'the same again is no change');
});

t.test('a refused secret is told to the control plane, and the one before serves on', async (t) => {
  const bench = started();
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  bench.respond('sds', { own: certificate('own') });
  const mixed = `{name: own, tls_certificate: {certificate_chain: {filename: ${files.leaf.certificate}}, private_key: {filename: ${files.other.key}}}}`;
  t.same(bench.respond('sds', { own: mixed }), [
    'own: tls_certificate.private_key: does not belong to the certificate',
  ]);
  t.same(bench.respond('sds', { own: trust('own') }), [
    'own: : is of kind validation-context, and is used as certificate',
  ]);
  t.equal(chainOf(bench.snapshot.secrets.get('ads own')), files.leaf.chainPem);
});

t.test('a first secret that is refused is not waited for', async (t) => {
  const bench = started();
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  bench.respond('sds', { own: trust('own') });
  t.same([[...bench.snapshot.listeners.keys()], bench.snapshot.secrets.size], [['l'], 0]);
});

t.test('a secret that the control plane removes serves on', async (t) => {
  const bench = started();
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  bench.respond('sds', { own: certificate('own') });
  bench.respond('sds', {}, ['own']);
  t.equal(bench.snapshot.secrets.size, 1);
  t.same(bench.held('sds'), ['own']);
});

t.test('a secret leaves with the last who uses it', async (t) => {
  const bench = started();
  bench.respond('cds', { c: tlsCluster('c', shows('own')) });
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  bench.respond('sds', { own: certificate('own') });
  bench.respond('lds', { l: tcpListener('l', 1, 'c') });
  t.equal(bench.snapshot.secrets.size, 1, 'the cluster uses it');
  bench.respond('cds', { c: staticCluster('c', 1) });
  t.equal(bench.snapshot.secrets.size, 0);
  t.notOk(bench.subscriptions.has('sds own'));
});

t.test('the older state serves while a newer one waits for its secrets', async (t) => {
  const bench = started();
  bench.respond('cds', { c: staticCluster('c', 1) });
  bench.respond('cds', { c: tlsCluster('c', shows('own')) });
  t.match(bench.snapshot.clusters.get('c')?.transport, { kind: 'plain' });
  bench.respond('sds', { own: certificate('own') });
  t.match(bench.snapshot.clusters.get('c')?.transport, { kind: 'tls' });
});

t.test('a source that is not there is refused by name', async (t) => {
  const bench = started();
  const api = '{api_config_source: {api_type: GRPC, grpc_services: [{envoy_grpc: {cluster_name: x}}]}}';
  const common = `{tls_certificate_sds_secret_configs: [{name: own, sds_config: ${api}}]}`;
  t.same(bench.respond('lds', { l: tlsListener('l', 1, common) }), [
    'l: filter_chains: secret "own": there is no static cluster "x" for gRPC',
  ]);
  t.same(bench.respond('cds', { c: tlsCluster('c', common) }), [
    'c: transport_socket: secret "own": there is no static cluster "x" for gRPC',
  ]);
  t.matchOnly(bench.respond('cds', { c: tlsCluster('c', '{tls_certificate_sds_secret_configs: [{name: own}]}') }), [
    /secret "own": the bootstrap has no static secret of this name/,
  ]);
});

const place = { kind: 'certificate', name: 'own', watchedDirectories: [] } as const;

t.test('secrets of the bootstrap and those in place are there from the start', async (t) => {
  const own: WrittenSecret = {
    ...place,
    certificateChain: { kind: 'file', path: files.leaf.certificate },
    privateKey: { kind: 'file', path: files.leaf.key },
  };
  const bench = new AssemblyBench({ secrets: new Map([['own', own]]) }).startEmpty();
  const inline = `{tls_certificates: [${certificateYaml(files.other, 'inline')}]}`;
  t.same(
    bench.respond('lds', {
      a: tlsListener('a', 1, '{tls_certificate_sds_secret_configs: [{name: own}]}'),
      b: tlsListener('b', 2, inline),
      c: tlsListener('c', 3, inline),
    }),
    [],
  );
  t.equal(bench.snapshot.listeners.size, 3);
  t.same([...bench.snapshot.secrets.values()].map(chainOf), [files.leaf.chainPem, files.other.chainPem]);
});

t.test('files of a secret are read again when they move, and wrong ones leave what there was', async (t) => {
  const directory = t.testdir({});
  const put = (name: string, from: string) => {
    copyFileSync(from, join(directory, `${name}.new`));
    renameSync(join(directory, `${name}.new`), join(directory, name));
  };
  put('a.pem', files.leaf.certificate);
  put('a.key', files.leaf.key);
  const bench = started();
  t.teardown(() => bench.assembler.stop());
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  const [chain, key] = ['a.pem', 'a.key'].map((name) => join(directory, name));
  bench.respond('sds', {
    own: `{name: own, tls_certificate: {certificate_chain: {filename: ${chain}}, private_key: {filename: ${key}}}}`,
  });
  const served = () => chainOf(bench.snapshot.secrets.get('ads own'));
  t.equal(served(), files.leaf.chainPem);
  const until = async (isReached: () => boolean) => {
    while (!isReached()) {
      await setImmediate();
      bench.pass(100);
      bench.turn();
    }
  };
  put('a.pem', files.other.certificate);
  put('a.key', files.other.key);
  await until(() => served() === files.other.chainPem);
  writeFileSync(join(directory, 'broken'), 'no certificate');
  renameSync(join(directory, 'broken'), chain!);
  await until(() => bench.logged.length > 0);
  t.match(
    bench.logged.at(-1),
    /^files of a secret cannot be used.*: own: certificate_chain: has no certificate in PEM$/,
  );
  t.same(bench.observed, ['key rotation own']);
  t.equal(served(), files.other.chainPem);
});

t.test('listeners and clusters with keys in them are not for the disk', async (t) => {
  const bench = started();
  const inline = `{tls_certificates: [${certificateYaml(files.leaf, 'inline')}]}`;
  const named = `{tls_certificates: [${certificateYaml(files.leaf)}]}`;
  bench.respond('lds', { a: tlsListener('a', 1, inline), b: tlsListener('b', 2, named) });
  bench.respond('cds', { a: tlsCluster('a', inline), b: tlsCluster('b', named) });
  const holding = (type: string) => [...bench.consumer(type).held()].map(([name, { holdsKeys }]) => [name, holdsKeys]);
  const expected = [
    ['a', true],
    ['b', false],
  ];
  t.same(holding('lds'), expected);
  t.same(holding('cds'), expected);
});

t.test('what is waited for is shown as such, until it comes or is refused', async (t) => {
  const bench = started();
  bench.respond('lds', { l: tlsListener('l', 1, shows('own')) });
  t.same(bench.states('sds'), ['own warming']);
  const { typeUrl } = bench.consumer('sds').type;
  t.match(bench.assembler.resources(typeUrl), onlyItems({ version: 'uninitialized', lastUpdatedMs: 0 }));
  bench.absent('sds', 'own');
  t.same(bench.states('sds'), ['own warming']);
  bench.respond('sds', { own: trust('own') });
  t.same(bench.states('sds'), ['own refused']);
  bench.respond('sds', { own: certificate('own') });
  t.same(bench.states('sds'), ['own active']);
});
