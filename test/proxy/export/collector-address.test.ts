import t from 'tap';
import { findCollector } from '../../../proxy/export/collector-address.ts';
import { FakeClusters, loopback } from '../../support/export-fixtures.ts';

t.test('the members of a cluster are found as they are now', (t) => {
  const clusters = new FakeClusters().set('otel', [{ address: loopback(1) }, { address: loopback(2) }]);
  t.same(findCollector('otel', clusters), {
    kind: 'found',
    addresses: [loopback(1), loopback(2)],
    connectTimeoutMs: 1000,
  });
  clusters.set('otel', [{ address: loopback(3) }]);
  t.match(findCollector('otel', clusters), { addresses: [loopback(3)] });
  t.end();
});

t.test('a socket of the file system is an address like others', (t) => {
  const pipe = { kind: 'pipe', path: '/run/otel.sock' } as const;
  t.match(findCollector('otel', new FakeClusters().set('otel', [{ address: pipe }])), { addresses: [pipe] });
  t.end();
});

t.test('endpoints that are not healthy, and lower priorities, are for when there is nothing better', (t) => {
  const clusters = new FakeClusters().set('otel', [
    { address: loopback(1), priority: 1 },
    { address: loopback(2), priority: 0, health: 'unhealthy' },
    { address: loopback(3), priority: 0, health: 'degraded' },
  ]);
  t.match(findCollector('otel', clusters), { addresses: [loopback(3)] });
  clusters.set('otel', [
    { address: loopback(1), priority: 1 },
    { address: loopback(2), priority: 0, health: 'draining' },
  ]);
  t.match(findCollector('otel', clusters), { addresses: [loopback(1)] });
  t.end();
});

t.test('a cluster that is not there is told from one that cannot be reached', (t) => {
  const clusters = new FakeClusters().set('empty', []).set('original', [], 'original-dst');
  t.match(findCollector('otel', clusters), { kind: 'no-cluster', reason: /no cluster otel/ });
  t.match(findCollector('empty', clusters), { kind: 'unreachable', reason: /no healthy endpoint/ });
  t.match(findCollector('original', clusters), { kind: 'unreachable', reason: /ORIGINAL_DST/ });
  t.match(findCollector('otel', { snapshot: () => null, grpcClusters: new Map() }), { kind: 'no-cluster' });
  t.end();
});

t.test('static clusters for calls of our own are used, but never in clear text in place of TLS', (t) => {
  const host = { kind: 'host', hostname: 'collector', port: 4317 } as const;
  const clusters = new FakeClusters()
    .setGrpc('otel', [host])
    .setGrpc('secured', [host], { tls: { subjectAltNames: [] } });
  t.match(findCollector('otel', clusters), { kind: 'found', addresses: [host] });
  t.match(findCollector('secured', clusters), { kind: 'unreachable', reason: /TLS/ });
  t.end();
});
