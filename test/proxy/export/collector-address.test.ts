import t from 'tap';
import { type Collector, findCollector } from '../../../proxy/export/collector-address.ts';
import { FakeClusters, loopback, type Member, plainly } from '../../support/export-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { upstreamTls } from '../../support/tls-config-fixtures.ts';

const grpc = (cluster: string) => ({ kind: 'grpc', cluster }) as const;
const http = (cluster: string) => ({ kind: 'http', cluster }) as const;

t.test('the members of a cluster are found as they are now', (t) => {
  const clusters = new FakeClusters().set('otel', [{ address: loopback(1) }, { address: loopback(2) }]);
  t.same(findCollector(grpc('otel'), clusters), {
    kind: 'found',
    endpoints: [plainly(1), plainly(2)],
    connectTimeoutMs: 1000,
  });
  clusters.set('otel', [{ address: loopback(3) }]);
  t.match(findCollector(grpc('otel'), clusters), { endpoints: onlyItems(plainly(3)) });
  t.end();
});

t.test('a socket of the file system is an address like others', (t) => {
  const pipe = { kind: 'pipe', path: '/run/otel.sock' } as const;
  t.match(findCollector(grpc('otel'), new FakeClusters().set('otel', [{ address: pipe }])), {
    endpoints: onlyItems({ address: pipe }),
  });
  t.end();
});

t.test('endpoints that are not healthy, and lower priorities, are for when there is nothing better', (t) => {
  const addressesOf = (found: Collector) => found.kind === 'found' && found.endpoints.map(({ address }) => address);
  const clusters = new FakeClusters().set('otel', [
    { address: loopback(1), priority: 1 },
    { address: loopback(2), priority: 0, health: 'unhealthy' },
    { address: loopback(3), priority: 0, health: 'degraded' },
  ]);
  t.strictSame(addressesOf(findCollector(grpc('otel'), clusters)), [loopback(3)]);
  clusters.set('otel', [
    { address: loopback(1), priority: 1 },
    { address: loopback(2), priority: 0, health: 'draining' },
  ]);
  t.strictSame(addressesOf(findCollector(grpc('otel'), clusters)), [loopback(1)]);
  t.end();
});

t.test('a cluster that is not there is told from one that cannot be reached', (t) => {
  const clusters = new FakeClusters().set('empty', []).set('original', [], { kind: 'original-dst' });
  t.match(findCollector(grpc('otel'), clusters), { kind: 'no-cluster', reason: /no cluster otel/ });
  t.match(findCollector(grpc('empty'), clusters), { kind: 'unreachable', reason: /no healthy endpoint/ });
  t.match(findCollector(grpc('original'), clusters), { kind: 'unreachable', reason: /ORIGINAL_DST/ });
  t.match(findCollector(grpc('otel'), { snapshot: () => null, grpcClusters: new Map() }), { kind: 'no-cluster' });
  t.end();
});

t.test('static clusters for calls of our own are used, with the TLS that they have', (t) => {
  const host = { kind: 'host', hostname: 'collector', port: 4317 } as const;
  const config = { subjectAltNames: [] };
  const nobody = findCollector(grpc('nobody'), new FakeClusters().setGrpc('nobody', []));
  t.match(nobody, { kind: 'unreachable', reason: /has no endpoint/ });
  const clusters = new FakeClusters().setGrpc('otel', [host]).setGrpc('secured', [host], { tls: config });
  t.match(findCollector(grpc('otel'), clusters), {
    kind: 'found',
    endpoints: onlyItems({ address: host, tls: undefined }),
  });
  const found = findCollector(grpc('secured'), clusters);
  t.match(found, {
    endpoints: onlyItems({ address: host, tls: { kind: 'call', host: 'collector', handshakeTimeoutMs: 1000 } }),
  });
  t.equal(found.kind === 'found' && found.endpoints[0]?.tls?.config, config);
  t.end();
});

t.test('each endpoint is spoken to as the first match that its labels have says', (t) => {
  const config = upstreamTls();
  const transport = { kind: 'tls', tls: config } as const;
  const members: readonly Member[] = [
    { address: loopback(1), hostname: 'one', labels: { tlsMode: 'istio' } },
    { address: loopback(2) },
  ];
  const istio = { name: 'istio', match: { tlsMode: 'istio' }, transport };
  const others = { name: 'others', match: {}, transport: { kind: 'plain' } } as const;
  const found = (shape: Parameters<FakeClusters['set']>[2]) => {
    const collector = findCollector(grpc('otel'), new FakeClusters().set('otel', members, shape));
    return collector.kind === 'found' && collector.endpoints.map(({ tls }) => tls?.config);
  };
  t.strictSame(found({ transport }), [config, config]);
  t.strictSame(found({ transportMatches: [istio, others] }), [config, undefined]);
  t.strictSame(found({ transportMatches: [istio], transport }), [config, config]);
  t.strictSame(found({ transportMatches: [others, istio] }), [undefined, undefined], 'the first counts');
  t.end();
});

t.test('a connection finds the secrets that there are when it begins', (t) => {
  const clusters = new FakeClusters().set('otel', [{ address: loopback(1), hostname: 'one' }], {
    transport: { kind: 'tls', tls: upstreamTls() },
  });
  const found = findCollector(grpc('otel'), clusters);
  const tls = found.kind === 'found' ? found.endpoints[0]?.tls : undefined;
  t.match(tls, { kind: 'cluster', hostname: 'one', handshakeTimeoutMs: 1000 });
  const secrets = (): ReadonlyMap<string, unknown> => (tls?.kind === 'cluster' ? tls.secrets() : new Map());
  t.equal(secrets().size, 0);
  clusters.secrets.set('late', { kind: 'generic', name: 'late', value: new Uint8Array() });
  t.ok(secrets().has('late'));
  t.end();
});

t.test('HTTP/1.1 is not spoken to a cluster of HTTP/2, wherever it comes from', (t) => {
  const clusters = new FakeClusters()
    .set('dynamic', [{ address: loopback(1) }], { protocol: 'http2' })
    .set('plain', [{ address: loopback(1) }])
    .setGrpc('static', [loopback(1)]);
  for (const name of ['dynamic', 'static']) {
    t.match(findCollector(grpc(name), clusters), { kind: 'found' });
    t.same(findCollector(http(name), clusters), {
      kind: 'unreachable',
      reason: `cluster ${name} speaks HTTP/2, and this service HTTP/1.1: write grpc_service, or a cluster without HTTP/2`,
    });
  }
  t.match(findCollector(http('plain'), clusters), { kind: 'found' });
  t.end();
});

t.test('a collector that the environment names needs no cluster, and is spoken to as the environment says', (t) => {
  const collector = { name: 'otel:4318', endpoints: [loopback(1)], connectTimeoutMs: 1000 };
  const clusters = { ...new FakeClusters(), snapshot: () => null, ofEnvironment: collector };
  for (const service of [grpc('otel:4318'), http('otel:4318')]) {
    t.match(findCollector(service, clusters), { kind: 'found', endpoints: onlyItems(plainly(1)) });
  }
  t.match(findCollector(http('other'), clusters), { kind: 'no-cluster' });
  t.end();
});
