import t from 'tap';
import { adminRoutes, helpText } from '../../../proxy/admin/routes.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

t.test('help lists every path once, what it can be asked, and which need POST', (t) => {
  const text = helpText();
  const paths = adminRoutes.map((route) => route.path);
  t.equal(new Set(paths).size, paths.length);
  for (const { path, changes } of adminRoutes) t.ok(text.includes(`  ${path}${changes ? ' (POST)' : ''}: `), path);
  t.match(text, /\n {2}\/stats: statistics\n {6}usedonly: /);
  t.end();
});

t.test('every path is answered', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const needsMore = new Map([
    ['/explain', 400],
    ['/ready', 503],
    ['/runtime_modify', 400],
  ]);
  for (const { path, changes } of adminRoutes) {
    const { status } = await (changes ? admin.post(path) : admin.get(path));
    t.equal(status, needsMore.get(path) ?? 200, path);
  }
});

t.test('ready follows the process and the health check switch', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  t.match(await admin.get('/ready'), { status: 503, text: 'INITIALIZING\n' });
  admin.state.onApplied(1, []);
  t.match(await admin.get('/ready'), { status: 200, text: 'LIVE\n' });
  await admin.post('/healthcheck/fail');
  t.match(await admin.get('/ready'), { status: 503, text: 'DRAINING\n' });
  await admin.post('/healthcheck/ok');
  t.match(await admin.get('/ready'), { status: 200, text: 'LIVE\n' });
});

t.test('a drain stops accepting at once, later when graceful, never with skip_exit', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  await admin.post('/drain_listeners?inboundonly');
  t.strictSame(admin.calls.splice(0), ['drain true true']);
  await admin.post('/drain_listeners?graceful');
  t.equal(admin.calls[0], 'drain false false');
  // The drain time of the fixture is nothing; the second call comes from a timer.
  while (admin.calls.length < 2) await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(admin.calls.splice(0), ['drain false false', 'drain false true']);
  await admin.post('/drain_listeners?graceful&skip_exit');
  t.strictSame(admin.calls.splice(0), ['drain false false']);
});

t.test('counters are reset, gauges are not', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const block = admin.worker.block(clusterStats, 'a');
  block.inc(clusterStats.upstreamRqTotal);
  block.inc(clusterStats.upstreamRqActive);
  const asked = '/stats?usedonly&filter=^cluster.a.upstream_rq_(total|active)';
  t.equal((await admin.get(asked)).text, 'cluster.a.upstream_rq_active: 1\ncluster.a.upstream_rq_total: 1\n');
  await admin.post('/reset_counters');
  t.equal((await admin.get(asked)).text, 'cluster.a.upstream_rq_active: 1\ncluster.a.upstream_rq_total: 0\n');
});

t.test('logs are reopened', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  await admin.post('/reopen_logs');
  t.strictSame(admin.calls, ['reopen logs']);
});
