import t from 'tap';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { tcpStats } from '../../../proxy/telemetry/tcp-stats.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';
import { forwardTo, httpListener, listenerOf, managerOf, routeOf, virtualHostOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';

const http = httpListener(
  'web',
  managerOf([virtualHostOf([routeOf('/a', forwardTo('a')), routeOf('/', forwardTo('b'))])]),
);
const tcp = listenerOf('db', {
  kind: 'tcp-proxy',
  name: 'tcp',
  config: {
    statPrefix: 'db',
    clusters: [
      { name: 'one', weight: 1 },
      { name: 'two', weight: 1 },
    ],
    totalWeight: 2,
    idleTimeoutMs: 0,
    maxDownstreamConnectionDurationMs: 0,
    maxConnectAttempts: 1,
    accessLogs: [],
    accessLogFlushIntervalMs: 0,
    flushAccessLogOnConnected: false,
  },
});

t.test('a listener says where it listens, what it does, and how it goes', async (t) => {
  const admin = await startAdmin({
    snapshot: {
      listeners: new Map([
        ['web', http],
        ['db', tcp],
      ]),
    },
  });
  t.teardown(admin.stop);
  admin.state.onApplied(1, [{ name: 'web', address: '127.0.0.1:8080' }]);
  const counted = admin.worker.block(httpStats, 'test');
  counted.add(httpStats.downstreamRqTotal, 5);
  counted.add(httpStats.downstreamRq5xx, 2);
  counted.inc(httpStats.downstreamCxActive);
  admin.worker.block(tcpStats, 'db').add(tcpStats.downstreamCxTxBytesTotal, 9);
  const { listeners } = JSON.parse((await admin.get('/overview')).text);
  t.match(
    listeners,
    onlyItems(
      {
        name: 'web',
        addresses: onlyItems('127.0.0.1:8080'),
        isBound: true,
        chains: onlyItems({
          kind: 'HTTP',
          statPrefix: 'test',
          virtualHosts: 1,
          routes: 2,
          requests: 5,
          connections: 1,
          answered: { '5xx': 2, '2xx': 0 },
        }),
      },
      {
        name: 'db',
        addresses: onlyItems('127.0.0.1:0'),
        chains: onlyItems({ kind: 'TCP', clusters: onlyItems('one', 'two'), sentBytes: 9 }),
      },
    ),
  );
});

t.test('nothing counted is zero, and no latency', async (t) => {
  const admin = await startAdmin({ snapshot: { listeners: new Map([['web', http]]) } });
  t.teardown(admin.stop);
  const { listeners } = JSON.parse((await admin.get('/overview')).text);
  t.match(listeners[0].chains[0], { requests: 0, latencyMs: null });
});
