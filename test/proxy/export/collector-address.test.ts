import t from 'tap';
import type { UpstreamTls } from '../../../config/tls.ts';
import { findCollector } from '../../../proxy/export/collector-address.ts';
import { FakeClusters, loopback, type Member } from '../../support/export-fixtures.ts';

const grpc = (cluster: string) => ({ kind: 'grpc', cluster }) as const;
const http = (cluster: string) => ({ kind: 'http', cluster }) as const;

t.test('the members of a cluster are found as they are now', (t) => {
  const clusters = new FakeClusters().set('otel', [{ address: loopback(1) }, { address: loopback(2) }]);
  t.same(findCollector(grpc('otel'), clusters), {
    kind: 'found',
    addresses: [loopback(1), loopback(2)],
    connectTimeoutMs: 1000,
  });
  clusters.set('otel', [{ address: loopback(3) }]);
  t.match(findCollector(grpc('otel'), clusters), { addresses: [loopback(3)] });
  t.end();
});

t.test('a socket of the file system is an address like others', (t) => {
  const pipe = { kind: 'pipe', path: '/run/otel.sock' } as const;
  t.match(findCollector(grpc('otel'), new FakeClusters().set('otel', [{ address: pipe }])), { addresses: [pipe] });
  t.end();
});

t.test('endpoints that are not healthy, and lower priorities, are for when there is nothing better', (t) => {
  const clusters = new FakeClusters().set('otel', [
    { address: loopback(1), priority: 1 },
    { address: loopback(2), priority: 0, health: 'unhealthy' },
    { address: loopback(3), priority: 0, health: 'degraded' },
  ]);
  t.match(findCollector(grpc('otel'), clusters), { addresses: [loopback(3)] });
  clusters.set('otel', [
    { address: loopback(1), priority: 1 },
    { address: loopback(2), priority: 0, health: 'draining' },
  ]);
  t.match(findCollector(grpc('otel'), clusters), { addresses: [loopback(1)] });
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

t.test('static clusters for calls of our own are used, but never in clear text in place of TLS', (t) => {
  const host = { kind: 'host', hostname: 'collector', port: 4317 } as const;
  const clusters = new FakeClusters()
    .setGrpc('otel', [host])
    .setGrpc('secured', [host], { tls: { subjectAltNames: [] } });
  t.match(findCollector(grpc('otel'), clusters), { kind: 'found', addresses: [host] });
  t.match(findCollector(grpc('secured'), clusters), { kind: 'unreachable', reason: /TLS/ });
  t.end();
});

t.test('endpoints that are to be reached by TLS are none for telemetry, those beside them are', (t) => {
  const transport = { kind: 'tls', tls: {} as UpstreamTls } as const;
  const members: readonly Member[] = [{ address: loopback(1), labels: { tlsMode: 'istio' } }, { address: loopback(2) }];
  const istio = { name: 'istio', match: { tlsMode: 'istio' }, transport };
  const others = { name: 'others', match: {}, transport: { kind: 'plain' } } as const;
  const found = (shape: Parameters<FakeClusters['set']>[2]) =>
    findCollector(grpc('otel'), new FakeClusters().set('otel', members, shape));
  t.match(found({ transport }), { kind: 'unreachable', reason: /^cluster otel uses TLS/ });
  t.match(found({ transportMatches: [istio, others] }), { kind: 'found', addresses: [loopback(2)] });
  t.match(found({ transportMatches: [istio], transport }), { kind: 'unreachable', reason: /^cluster otel uses TLS/ });
  t.match(found({ transportMatches: [others, istio] }), { addresses: [loopback(1), loopback(2)] }, 'the first counts');
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
    t.match(findCollector(service, clusters), { kind: 'found', addresses: [loopback(1)] });
  }
  t.match(findCollector(http('other'), clusters), { kind: 'no-cluster' });
  t.end();
});
