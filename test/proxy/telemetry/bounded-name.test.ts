import t from 'tap';
import { BoundedName, isBounded, nameOf, otherNames } from '../../../proxy/telemetry/bounded-name.ts';
import {
  clusterDiscoveryStats,
  clusterStats,
  externalResponseStats,
  routeStats,
} from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { listenerStats } from '../../../proxy/telemetry/listener-stats.ts';
import { expiredRequestStats, requestStats } from '../../../proxy/telemetry/request-stats.ts';
import { clusterManagerStats } from '../../../proxy/telemetry/server-stats.ts';
import type { StatSet } from '../../../proxy/telemetry/stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';

const store = new StatsStore();
const worker = new WorkerStats((message) => store.accept(0, message));

function group(set: StatSet, ...names: string[]) {
  worker.block(set, ...names);
  return store.get(set, ...names)!;
}

t.test('clusters, routes, TCP proxies and keys of requests are bounded; what there are few of is not', (t) => {
  t.ok(isBounded(group(clusterStats, 'a')));
  t.ok(isBounded(group(externalResponseStats, 'a')));
  t.ok(isBounded(group(routeStats, 'host', 'route')));
  t.ok(isBounded(group(tcpStats, 'outbound|3306||db')));
  t.ok(isBounded(group(requestStats, 's', '/', 'GET', '2xx', '')));
  t.notOk(isBounded(group(expiredRequestStats, '2xx', '')));
  t.notOk(isBounded(group(listenerStats, '0.0.0.0:80')));
  t.notOk(isBounded(group(httpStats, 'ingress')));
  t.notOk(isBounded(group(clusterManagerStats)));
  t.end();
});

t.test('all of a cluster is one name, each route and each key of requests is one', (t) => {
  t.equal(nameOf(group(clusterStats, 'a')), nameOf(group(externalResponseStats, 'a')));
  t.not(nameOf(group(clusterStats, 'a')), nameOf(group(clusterStats, 'b')));
  t.not(nameOf(group(routeStats, 'host', 'one')), nameOf(group(routeStats, 'host', 'two')));
  t.end();
});

t.test('other tells how requests ended, and nothing else', (t) => {
  t.strictSame(otherNames(clusterStats.scope, ['a']), ['other']);
  t.strictSame(otherNames(routeStats.scope, ['host', 'route']), ['other', 'other']);
  t.strictSame(otherNames(requestStats.scope, ['s', '/', 'GET', '5xx', '']), ['other', 'other', 'other', '5xx', '']);
  t.end();
});

t.test('requests are use, looking up members is not', (t) => {
  const name = new BoundedName(0);
  const requests = worker.block(clusterStats, 'c');
  const discovery = worker.block(clusterDiscoveryStats, 'c');
  name.add(group(clusterStats, 'c'));
  name.add(group(clusterDiscoveryStats, 'c'));
  t.notOk(name.measure(1));
  discovery.inc(clusterDiscoveryStats.updateAttempt);
  t.ok(name.measure(2), 'there is a series more');
  t.equal(name.usedAtMs, 0);
  requests.inc(clusterStats.upstreamRqTotal);
  requests.incCode(clusterStats.upstreamRqCode, 200);
  requests.incCode(clusterStats.upstreamRqCode, 503);
  t.ok(name.measure(3));
  t.match({ ...name }, { usedAtMs: 3, gained: 1, series: 4 });
  t.notOk(name.measure(4));
  t.match({ ...name }, { usedAtMs: 3, gained: 0 });
  t.end();
});
