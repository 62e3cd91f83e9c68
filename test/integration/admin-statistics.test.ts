// What the statistics say after traffic of every kind, as Envoy counts the same: names and numbers were compared with
// Envoy 1.40 under the same requests.

import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { prometheusText } from '../../proxy/telemetry/prometheus.ts';
import { everyStat } from '../../proxy/telemetry/stats-query.ts';
import type { StatsStore } from '../../proxy/telemetry/stats-store.ts';
import { statsText } from '../../proxy/telemetry/stats-text.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { parseExposition } from '../support/prometheus-parser.ts';

/** Answers with the status its path names; resets at /reset, never answers at /slow. */
function startOrigin(t: Test): Promise<number> {
  return startHttpOrigin(t, (request, response) => {
    if (request.url === '/slow') return;
    if (request.url === '/reset') {
      request.socket.resetAndDestroy();
      return;
    }
    response.statusCode = Number(request.url?.slice(1));
    response.end('body');
  });
}

async function startPlane(t: Test) {
  const origin = await startOrigin(t);
  const routes = [
    routeOf('/dead', forwardTo('dead')),
    routeOf('/slow', forwardTo('app', { timeoutMs: 50 })),
    routeOf('/none', forwardTo('none')),
    routeOf('/201', forwardTo('app'), { statPrefix: 'created' }),
    routeOf('/direct', { kind: 'direct-response', status: 200, body: new Uint8Array(0) }),
    routeOf('/2', forwardTo('app')),
    routeOf('/5', forwardTo('app')),
    routeOf('/reset', forwardTo('app')),
  ];
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([virtualHostOf(routes)]))],
    clusters: [clusterOf('app', [origin]), clusterOf('dead', await freePorts(1)), clusterOf('none', [])],
  });
  t.teardown(() => plane.stop());
  return { ...plane, port: plane.ports.get('http')! };
}

/** One request after the other over one connection; resolves with their statuses when that connection is gone. */
async function send(port: number, paths: readonly string[]): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const statuses: number[] = [];
  for (const path of paths) statuses.push(await statusOf(port, path, agent));
  agent.destroy();
  return statuses;
}

function statusOf(port: number, path: string, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host: '127.0.0.1', path, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    asked.on('error', reject);
    asked.end();
  });
}

function valuesOf(stats: StatsStore): Map<string, string> {
  const lines = [...statsText(stats, { ...everyStat, usedOnly: true })].join('').trimEnd().split('\n');
  return new Map(lines.map((line) => line.split(': ') as [string, string]));
}

/** Waits, a turn of the loop at a time, until the statistics say so. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

t.test('requests are counted as Envoy counts them', async (t) => {
  const { port, stats } = await startPlane(t);
  t.strictSame(
    await send(port, ['/200', '/200', '/201', '/503', '/dead', '/slow', '/none', '/direct', '/absent', '/reset']),
    [200, 200, 201, 503, 503, 504, 503, 200, 404, 503],
  );
  await until(() => valuesOf(stats).get('http.test.downstream_cx_active') === '0');
  const values = valuesOf(stats);
  const expected = {
    'http.test.downstream_rq_total': '10',
    'http.test.downstream_rq_2xx': '4',
    'http.test.downstream_rq_4xx': '1',
    'http.test.downstream_rq_5xx': '5',
    'http.test.downstream_rq_completed': '10',
    'http.test.rq_total': '10',
    'http.test.rq_direct_response': '1',
    'http.test.no_route': '1',
    // Connections and replies of our own: a timeout is a 504 of the cluster, a refused connection a 503.
    'cluster.app.upstream_rq_total': '6',
    'cluster.app.upstream_rq_200': '2',
    'cluster.app.upstream_rq_201': '1',
    'cluster.app.upstream_rq_503': '2',
    'cluster.app.upstream_rq_504': '1',
    'cluster.app.upstream_rq_5xx': '3',
    'cluster.app.upstream_rq_timeout': '1',
    'cluster.app.upstream_cx_destroy_with_active_rq': '2',
    'cluster.dead.upstream_cx_connect_fail': '1',
    'cluster.dead.upstream_rq_503': '1',
    'cluster.dead.upstream_rq_pending_failure_eject': '1',
    'cluster.dead.upstream_rq_total': undefined,
    'cluster.none.upstream_cx_none_healthy': '1',
    'cluster.none.upstream_rq_503': '1',
    'vhost.all.route.created.upstream_rq_201': '1',
    'vhost.all.route.created.upstream_rq_total': '1',
  };
  for (const [name, value] of Object.entries(expected)) t.equal(values.get(name), value, name);
  for (const name of [
    'http.test.downstream_rq_time',
    'http.test.downstream_cx_length_ms',
    'cluster.app.upstream_rq_time',
    'cluster.app.external.upstream_rq_time',
    'cluster.app.upstream_cx_connect_ms',
    'cluster.app.upstream_cx_length_ms',
    'cluster.app.upstream_rq_per_cx',
    'vhost.all.route.created.upstream_rq_time',
  ])
    t.match(values.get(name), /^P0\(/, name);
});

t.test('every gauge of what is active returns to zero', async (t) => {
  const { port, stats } = await startPlane(t);
  await send(port, ['/200', '/503', '/dead', '/slow', '/none', '/reset']);
  const leaver = connect(port, '127.0.0.1');
  leaver.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => valuesOf(stats).get('http.test.downstream_rq_active') === '1');
  leaver.resetAndDestroy();
  const active = /_active$|_buffered$/;
  const busy = () =>
    [...valuesOf(stats)].filter(
      // Idle connections to endpoints stay, in a pool that is bounded.
      ([name, value]) => active.test(name) && value !== '0' && name !== 'cluster.app.upstream_cx_active',
    );
  await until(() => busy().length === 0);
  t.same(busy(), []);
  const idle = Number(valuesOf(stats).get('cluster.app.upstream_cx_active'));
  t.ok(idle <= 1, 'one idle connection at most');
});

t.test('the Prometheus text is read by a strict parser and says the same', async (t) => {
  const { port, stats } = await startPlane(t);
  await send(port, ['/200', '/503', '/dead']);
  await until(() => valuesOf(stats).get('http.test.downstream_cx_active') === '0');
  const text = [...prometheusText(stats, { ...everyStat, histograms: 'cumulative' }, [])].join('');
  const metrics = parseExposition(text);
  const sample = (metric: string, labels: Record<string, string>) =>
    metrics
      .get(metric)
      ?.samples.find((each) => Object.entries(labels).every(([name, value]) => each.labels.get(name) === value))?.value;
  t.equal(metrics.get('envoy_cluster_upstream_rq')?.type, 'counter');
  t.equal(sample('envoy_cluster_upstream_rq', { envoy_cluster_name: 'app', envoy_response_code: '200' }), 1);
  t.equal(sample('envoy_cluster_upstream_rq_xx', { envoy_cluster_name: 'app', envoy_response_code_class: '5' }), 1);
  t.equal(
    sample('envoy_http_downstream_rq_xx', { envoy_http_conn_manager_prefix: 'test', envoy_response_code_class: '2' }),
    1,
  );
  t.equal(metrics.get('envoy_http_downstream_rq_time')?.type, 'histogram');
  t.equal(metrics.get('envoy_http_downstream_cx_active')?.type, 'gauge');
});
