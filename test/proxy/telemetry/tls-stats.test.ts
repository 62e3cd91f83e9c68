import t from 'tap';
import { labelsOf, metricOf, taglessName } from '../../../proxy/telemetry/stat-scope.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { TlsStats } from '../../../proxy/telemetry/tls-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

function rig(kind: 'listener' | 'cluster', name: string) {
  const store = new StatsStore();
  const stats = new TlsStats(new WorkerStats((message) => store.accept(0, message)), kind, name);
  const lines = (): string[] =>
    store
      .groups()
      .flatMap((group) =>
        group.scope.stats.flatMap((stat, index) =>
          group.value(index) > 0 ? [`${group.prefix}${stat.name}: ${group.value(index)}`] : [],
        ),
      );
  return { store, stats, lines };
}

t.test('stats have the names that Envoy gives them', (t) => {
  const { stats, lines } = rig('listener', '127.0.0.1:15006');
  stats.count('handshake');
  stats.count('failVerifySan');
  stats.countContext('sslContextUpdateBySds');
  stats.countAgreed({
    cipher: 'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
    group: 'x25519',
    version: 'TLSv1.2',
    signature: 'ecdsa_secp256r1_sha256',
  });
  stats.setExpiries(new Map([['default', 1_795_491_994_123]]));
  t.same(lines().sort(), [
    'listener.127.0.0.1_15006.server_ssl_socket_factory.ssl_context_update_by_sds: 1',
    'listener.127.0.0.1_15006.ssl.certificate.default.expiration_unix_time_seconds: 1795491994',
    'listener.127.0.0.1_15006.ssl.ciphers.ECDHE-ECDSA-CHACHA20-POLY1305: 1',
    'listener.127.0.0.1_15006.ssl.curves.X25519: 1',
    'listener.127.0.0.1_15006.ssl.fail_verify_san: 1',
    'listener.127.0.0.1_15006.ssl.handshake: 1',
    'listener.127.0.0.1_15006.ssl.sigalgs.ecdsa_secp256r1_sha256: 1',
    'listener.127.0.0.1_15006.ssl.versions.TLSv1.2: 1',
  ]);
  t.end();
});

t.test('of metrics the chosen name is a label', (t) => {
  const { stats, store } = rig('cluster', 'reviews');
  stats.countAgreed({ cipher: 'TLS_AES_128_GCM_SHA256', group: undefined, version: 'TLSv1.3', signature: undefined });
  const group = store.groups().find(({ prefix }) => prefix.includes('ciphers'))!;
  t.equal(metricOf(group.scope, group.scope.stats[0]!).name, 'envoy_cluster_ssl_ciphers');
  t.same(labelsOf(group.scope, group.names), [
    ['cipher_suite', 'TLS_AES_128_GCM_SHA256'],
    ['envoy_cluster_name', 'reviews'],
  ]);
  t.equal(taglessName(group.scope, group.scope.stats[0]!), 'cluster.ssl.ciphers');
  t.end();
});

t.test('a cluster has no stats before it is called, a listener has them from the start', (t) => {
  const [cluster, listener] = [rig('cluster', 'c'), rig('listener', 'l')];
  t.same([cluster.store.groups().length, listener.store.groups().length], [0, 2]);
  cluster.stats.setExpiries(new Map());
  t.equal(cluster.store.groups().length, 2);
  for (const { stats, store } of [cluster, listener]) {
    stats.release();
    t.same(store.groups(), []);
  }
  rig('cluster', 'never called').stats.release();
  t.end();
});

t.test('what is unknown is counted together', (t) => {
  const { stats, lines } = rig('listener', 'l');
  for (const name of ['A', 'B', 'C'])
    stats.countAgreed({ cipher: name, group: name, version: 'TLSv1.3', signature: undefined });
  t.same(lines(), [
    'listener.l.ssl.ciphers.other: 3',
    'listener.l.ssl.curves.other: 3',
    'listener.l.ssl.versions.TLSv1.3: 3',
  ]);
  t.end();
});

t.test('handshakes that end after the release are not counted, and nothing is left', (t) => {
  const { stats, store } = rig('listener', 'l');
  stats.countAgreed({ cipher: 'A', group: 'A', version: 'TLSv1.3', signature: undefined });
  stats.release();
  stats.count('handshake');
  stats.countContext('sslContextUpdateBySds');
  stats.countAgreed({ cipher: 'A', group: 'A', version: 'TLSv1.3', signature: undefined });
  t.same(store.groups(), []);
  t.end();
});
