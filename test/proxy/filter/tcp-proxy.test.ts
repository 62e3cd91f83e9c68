import t from 'tap';
import type { TcpProxy } from '../../../config/listener.ts';
import type { Random } from '../../../config/random.ts';
import type { ClusterTable } from '../../../proxy/cluster/cluster-table.ts';
import { TcpProxyFilter } from '../../../proxy/filter/tcp-proxy.ts';
import type { HttpContext } from '../../../proxy/http/connection-manager.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { seededRandom } from '../../support/cluster-fixtures.ts';
import { tcpProxyOf } from '../../support/tcp-proxy-fixtures.ts';

t.test('clusters are chosen in proportion to their weights', (t) => {
  const filter = filterOf({ clusters: weights({ a: 1, b: 0, c: 3 }), totalWeight: 4 }, seededRandom(7));
  const chosen = new Map<string, number>();
  for (let index = 0; index < 4000; index++) {
    const name = filter.chooseCluster()?.name ?? 'none';
    chosen.set(name, (chosen.get(name) ?? 0) + 1);
  }
  t.same([...chosen.keys()].sort(), ['a', 'c']);
  t.ok(Math.abs(chosen.get('a')! - 1000) < 100, `${chosen.get('a')} of 4000 for a quarter of the weight`);
  t.end();
});

t.test('the ends of the range of chance belong to the first and the last cluster', (t) => {
  const config = { clusters: weights({ a: 1, b: 1 }), totalWeight: 2 };
  t.equal(filterOf(config, () => 0).chooseCluster()?.name, 'a');
  t.equal(filterOf(config, () => 1 - Number.EPSILON / 2).chooseCluster()?.name, 'b');
  t.end();
});

t.test('a single cluster is chosen without chance, whatever its weight', (t) => {
  const filter = filterOf({ clusters: weights({ a: 0 }), totalWeight: 0 }, () => t.fail('no chance is asked for'));
  t.equal(filter.chooseCluster()?.name, 'a');
  t.end();
});

function weights(table: Readonly<Record<string, number>>): TcpProxy['clusters'] {
  return Object.entries(table).map(([name, weight]) => ({ name, weight }));
}

/** A filter whose clusters are known by name only. */
function filterOf(config: Partial<TcpProxy>, random: () => unknown): TcpProxyFilter {
  const clusters = { get: (name: string) => ({ name }) } as unknown as ClusterTable;
  return new TcpProxyFilter({
    config: tcpProxyOf(config),
    context: { clusters, random: random as Random } as HttpContext,
    stats: new WorkerStats(() => {}).block(tcpStats, 'tcp'),
    accessLoggers: [],
  });
}
