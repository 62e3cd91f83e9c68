import t from 'tap';
import { takeAllSteps } from '../../../config/time-slice.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';

async function adminWith(t: { teardown: (after: () => void) => void }, names: readonly string[]) {
  const admin = await startAdmin({
    snapshot: { clusters: new Map(names.map((name) => [name, clusterOf(name, [80])])) },
  });
  t.teardown(admin.stop);
  const ask = async (query = '') => JSON.parse((await admin.get(`/overview${query}`)).text).clusters;
  return { ...admin, ask };
}

t.test('those in trouble come first, then the busiest, then by name', async (t) => {
  const { worker, ask } = await adminWith(t, ['b', 'a', 'busy', 'broken']);
  worker.block(clusterStats, 'busy').add(clusterStats.upstreamRqCompleted, 10);
  worker.block(clusterStats, 'broken').inc(clusterStats.upstreamCxConnectFail);
  const { listed } = await ask();
  t.strictSame(
    listed.map((each: { name: string }) => each.name),
    ['broken', 'busy', 'a', 'b'],
  );
  t.match(listed[0], { connectFailures: 1, endpointCount: 1, usableCount: 1 });
});

t.test('a cluster says how it goes, its endpoints too', async (t) => {
  const { worker, store, ask } = await adminWith(t, ['a']);
  const block = worker.block(clusterStats, 'a');
  block.add(clusterStats.upstreamRqCompleted, 3);
  block.inc(clusterStats.upstreamRqTimeout);
  block.inc(clusterStats.upstreamRqPendingOverflow);
  block.record(clusterStats.upstreamRqTime, 4);
  worker.block(endpointStats, 'a', '127.0.0.1:80').inc(endpointStats.rqError);
  t.equal((await ask()).listed[0].latencyMs, null, 'before the first interval ended');
  takeAllSteps(store.flushIntervals());
  t.match(await ask(), {
    total: 1,
    matching: 1,
    listed: onlyItems({
      name: 'a',
      discovery: 'static',
      balancer: 'round-robin',
      requests: 3,
      timeouts: 1,
      overflows: 1,
      latencyMs: { p50: 4, p99: 4 },
      endpoints: onlyItems({ address: '127.0.0.1:80', isUsable: true, errors: 1 }),
    }),
  });
});

t.test('of a thousand clusters fifty are listed, and a search finds any of them', async (t) => {
  const { ask } = await adminWith(
    t,
    Array.from({ length: 1000 }, (_, number) => `cluster-${number}`),
  );
  const all = await ask();
  t.equal(all.total, 1000);
  t.equal(all.listed.length, 50);
  const found = await ask('?clusters=CLUSTER-999');
  t.match(found, { total: 1000, matching: 1, listed: onlyItems({ name: 'cluster-999' }) });
});
