import t from 'tap';
import type { GrpcCluster } from '../../../config/config-source.ts';
import { peersOf } from '../../../xds/client/grpc-peer.ts';

t.test('one peer for each endpoint of a cluster', async (t) => {
  const cluster: GrpcCluster = {
    name: 'control',
    endpoints: [
      { kind: 'ip', ip: '10.0.0.1', port: 1 },
      { kind: 'ip', ip: '::1', port: 2 },
      { kind: 'host', hostname: 'istiod.example', port: 3 },
      { kind: 'pipe', path: './etc/XDS' },
    ],
    connectTimeoutMs: 1000,
  };
  const service = { target: { kind: 'cluster' as const, cluster: 'control' }, initialMetadata: [] };
  const peers = peersOf(service, new Map([['control', cluster]]));
  t.same(
    peers.map(({ uri, name, host }) => [uri, name, host]),
    [
      ['ipv4:10.0.0.1:1', '10.0.0.1:1', '10.0.0.1'],
      ['ipv6:[::1]:2', '[::1]:2', '::1'],
      ['dns:istiod.example:3', 'istiod.example:3', 'istiod.example'],
      ['unix:./etc/XDS', './etc/XDS', 'localhost'],
    ],
  );
  t.match(peers[0], {
    authority: 'control',
    connectTimeoutMs: 1000,
    keepAlive: { intervalMs: 30_000, timeoutMs: 10_000 },
  });
});

t.test('a target of its own is one peer, whose certificate must be for its host', async (t) => {
  const rows = [
    ['istiod.example:15012', 'istiod.example'],
    ['istiod.example', 'istiod.example'],
    ['dns:istiod.example:1', 'istiod.example'],
    ['dns:///istiod.example:1', 'istiod.example'],
    ['dns://10.0.0.1:53/istiod.example:1', 'istiod.example'],
    ['ipv4:10.0.0.1:1', '10.0.0.1'],
    ['[::1]:1', '::1'],
    ['ipv6:[::1]:1', '::1'],
    ['unix:/a/b', 'localhost'],
  ] as const;
  for (const [uri, host] of rows) {
    const service = { target: { kind: 'uri' as const, uri, credentials: {} }, initialMetadata: [] };
    const peers = peersOf(service, new Map());
    t.same(
      peers.map((peer) => [peer.uri, peer.host]),
      [[uri, host]],
    );
  }
});

t.test('what a cluster and its service say of a connection goes before what is usual', async (t) => {
  const cluster: GrpcCluster = {
    name: 'control',
    endpoints: [{ kind: 'ip', ip: '10.0.0.1', port: 1 }],
    connectTimeoutMs: 1000,
    tls: { sni: 'istiod.example', subjectAltNames: [] },
    keepAlive: { intervalMs: 1, timeoutMs: 2 },
  };
  const target = { kind: 'cluster' as const, cluster: 'control', authority: 'istiod' };
  const [peer] = peersOf({ target, initialMetadata: [] }, new Map([['control', cluster]]));
  const { tls, keepAlive } = cluster;
  t.same([peer?.tls, peer?.keepAlive, peer?.authority], [tls, keepAlive, 'istiod']);
});
