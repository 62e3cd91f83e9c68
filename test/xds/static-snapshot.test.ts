import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';

const CLUSTERS = 2000;

// A process of its own: the heap of a test runner holds too much else.
const PROGRAM = `
import { loadBootstrap } from '${sourceUrl('xds/bootstrap-file.ts')}';
import { staticSnapshot } from '${sourceUrl('xds/static-snapshot.ts')}';
const address = { socket_address: { address: '10.0.0.1', port_value: 80 } };
const managerOf = (indexes) => ({
  '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  stat_prefix: 'http',
  route_config: {
    virtual_hosts: indexes.map((index) => ({
      name: 'virtual-host-' + index,
      domains: ['service-' + index + '.example'],
      routes: [{ match: { prefix: '/' }, route: { cluster: 'service-' + index } }],
    })),
  },
  http_filters: [
    { name: 'router', typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } },
  ],
});
const bootstrapOf = (indexes) => JSON.stringify({
  static_resources: {
    listeners: [
      { name: 'http', address, filter_chains: [{ filters: [{ name: 'http', typed_config: managerOf(indexes) }] }] },
    ],
    clusters: indexes.map((index) => ({
      name: 'service-' + index,
      load_assignment: {
        cluster_name: 'service-' + index,
        endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
      },
      circuit_breakers: { thresholds: [{ max_requests: 1e9 }, { priority: 'HIGH', max_requests: 1e9 }] },
    })),
  },
});
const snapshotOf = (source) => staticSnapshot(loadBootstrap({ yaml: source, allowUnknownFields: false }).bootstrap);
const usedBytes = () => { gc(); return process.memoryUsage().heapUsed; };
const indexes = Array.from({ length: ${CLUSTERS} }, (_, index) => index);
const yaml = bootstrapOf(indexes);
// What is compiled of our own code on the way is not theirs.
snapshotOf(bootstrapOf([0, 1]));
const kept = [];
const rounds = Array.from({ length: 3 }, () => {
  const empty = usedBytes();
  kept.push(snapshotOf(yaml));
  const own = usedBytes();
  kept.push(structuredClone(kept.at(-1)));
  return { own: own - empty, copy: usedBytes() - own };
});
console.log(JSON.stringify({ rounds, clusters: kept.reduce((sum, snapshot) => sum + snapshot.clusters.size, 0) }));
`;

t.test('a cluster and its virtual host take less than 2 KiB of the main thread, and of a worker', (t) => {
  const args = ['--expose-gc', '--input-type=module', '--eval', PROGRAM];
  const { rounds, clusters } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
  t.equal(clusters, 6 * CLUSTERS);
  // The least: V8 compiles in another thread, and what it has compiled is in the heap from the round in which it is done.
  const own = Math.min(...rounds.map((round: { own: number }) => round.own)) / CLUSTERS;
  const copy = Math.min(...rounds.map((round: { copy: number }) => round.copy)) / CLUSTERS;
  t.ok(own < 2048, `${own} bytes`);
  t.ok(copy < 2048, `${copy} bytes`);
  t.end();
});

function sourceUrl(path: string): string {
  return pathToFileURL(join(import.meta.dirname, '../..', path)).href;
}
