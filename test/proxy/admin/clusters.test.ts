import t from 'tap';
import { circuitBreakerStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { endpointStats } from '../../../proxy/telemetry/endpoint-stats.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';

async function adminWithClusters(t: { teardown: (after: () => void) => void }) {
  const clusters = new Map([
    ['app', clusterOf('app', [80, 81])],
    ['other', clusterOf('other', [])],
  ]);
  const admin = await startAdmin({ snapshot: { clusters }, bootstrap: { clusters: [clusterOf('app', [80, 81])] } });
  t.teardown(admin.stop);
  const block = admin.worker.block(endpointStats, 'app', '127.0.0.1:80');
  block.inc(endpointStats.rqTotal);
  block.inc(endpointStats.cxActive);
  block.inc(endpointStats.rqPendingActive);
  return admin;
}

t.test('the text has a line for each fact of a cluster and of its endpoints', async (t) => {
  const admin = await adminWithClusters(t);
  const { text } = await admin.get('/clusters');
  const lines = text.split('\n');
  for (const line of [
    'app::observability_name::app',
    'app::default_priority::max_connections::1024',
    'app::high_priority::max_retries::3',
    'app::added_via_api::false',
    'app::127.0.0.1:80::cx_active::1',
    'app::127.0.0.1:80::rq_pending_active::1',
    'app::127.0.0.1:80::rq_total::1',
    'app::127.0.0.1:81::rq_total::0',
    'app::127.0.0.1:81::health_flags::healthy',
    'app::127.0.0.1:81::weight::1',
    'other::observability_name::other',
    'other::added_via_api::true',
  ])
    t.ok(lines.includes(line), line);
});

t.test('the retries that a budget allows are those of now', async (t) => {
  const { circuitBreakers } = clusterOf('app', []);
  const limits = { ...circuitBreakers.default, retryBudget: { percent: 25, minConcurrency: 2 } };
  const app = { ...clusterOf('app', []), circuitBreakers: { default: limits, high: circuitBreakers.high } };
  const admin = await startAdmin({ snapshot: { clusters: new Map([['app', app]]) } });
  t.teardown(admin.stop);
  const retries = async () => {
    const { text } = await admin.get('/clusters');
    const { cluster_statuses } = JSON.parse((await admin.get('/clusters?format=json')).text);
    const shown = /default_priority::max_retries::(.*)/.exec(text)?.[1];
    t.equal(String(cluster_statuses[0].circuit_breakers.thresholds[0].max_retries), shown, 'text and JSON agree');
    t.match(text, 'high_priority::max_retries::3');
    return shown;
  };
  t.equal(await retries(), '2', 'never less');
  admin.worker.block(circuitBreakerStats.high, 'app').set(circuitBreakerStats.high.rqActive, 40);
  t.equal(await retries(), '2', 'requests of another priority do not count');
  admin.worker.block(circuitBreakerStats.default, 'app').set(circuitBreakerStats.default.rqActive, 15);
  t.equal(await retries(), '3', 'a quarter of 15');
  t.notMatch((await admin.get('/stats')).text, /breakers\.\w+\.rq_active/, 'which nobody else is shown');
});

t.test('a filter chooses clusters by name', async (t) => {
  const admin = await adminWithClusters(t);
  t.notMatch((await admin.get('/clusters?filter=^oth')).text, /^app/m);
  t.match((await admin.get('/clusters?filter=^oth')).text, /^other::/);
  t.equal((await admin.get('/clusters?filter=(')).status, 400);
});

t.test('the JSON is that of ClusterStatuses, 64-bit numbers as text', async (t) => {
  const admin = await adminWithClusters(t);
  const { cluster_statuses } = JSON.parse((await admin.get('/clusters?format=json')).text);
  t.match(cluster_statuses[0], {
    name: 'app',
    observability_name: 'app',
    circuit_breakers: { thresholds: onlyItems({ max_connections: 1024 }, { priority: 'HIGH', max_retries: 3 }) },
    host_statuses: onlyItems(
      {
        address: { socket_address: { address: '127.0.0.1', port_value: 80 } },
        health_status: { eds_health_status: 'HEALTHY' },
      },
      { address: { socket_address: { port_value: 81 } } },
    ),
  });
  const { stats } = cluster_statuses[0].host_statuses[0];
  t.match(
    stats.find((each: { name: string }) => each.name === 'rq_total'),
    { value: '1', type: 'COUNTER' },
  );
  t.match(
    stats.find((each: { name: string }) => each.name === 'cx_active'),
    { value: '1', type: 'GAUGE' },
  );
  t.match(
    stats.find((each: { name: string }) => each.name === 'rq_pending_active'),
    { value: '1', type: 'GAUGE' },
  );
});

t.test('no clusters are empty text and valid JSON', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  t.equal((await admin.get('/clusters')).text, '');
  t.strictSame(JSON.parse((await admin.get('/clusters?format=json')).text), { cluster_statuses: [] });
});

t.test('endpoints are counted for /clusters and are no series of /stats', async (t) => {
  const admin = await adminWithClusters(t);
  t.notMatch((await admin.get('/stats')).text, /endpoint/);
  t.notMatch((await admin.get('/stats/prometheus')).text, /endpoint/);
});
