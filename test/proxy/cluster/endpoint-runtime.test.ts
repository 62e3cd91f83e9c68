import t from 'tap';
import type { HealthStatus } from '../../../config/endpoint.ts';
import {
  Availability,
  type EndpointOwner,
  EndpointRuntime,
  type ResolvedEndpoint,
} from '../../../proxy/cluster/endpoint-runtime.ts';
import type { UpstreamTransport } from '../../../proxy/cluster/upstream-transport.ts';
import { makeEndpoint, makeStatsSource } from '../../support/cluster-fixtures.ts';

const place = { locality: { region: 'r', zone: 'z', subZone: '' }, priority: 1 };

function make(health: HealthStatus = 'unknown', transportFor: EndpointOwner['transportFor'] = () => null) {
  const statsSource = makeStatsSource();
  const owner = { statName: 'fruit', stats: statsSource.clusterBlock('fruit'), statsSource, transportFor };
  const endpoint = makeEndpoint('10.0.0.1', { health }) as ResolvedEndpoint;
  return { statsSource, endpoint: new EndpointRuntime('10.0.0.1:80', endpoint, { place, owner }) };
}

t.test('what discovery says of its health decides whether it is chosen', (t) => {
  const table: readonly (readonly [HealthStatus, Availability])[] = [
    ['unknown', Availability.healthy],
    ['healthy', Availability.healthy],
    ['degraded', Availability.degraded],
    ['unhealthy', Availability.unavailable],
    ['draining', Availability.unavailable],
    ['timeout', Availability.unavailable],
  ];
  for (const [health, availability] of table) t.equal(make(health).endpoint.availability, availability, health);
  t.end();
});

t.test('lets go of its pools before it tells them, so that it can be used again', (t) => {
  const { endpoint } = make();
  let seen: unknown = 'not drained';
  endpoint.pools = {
    drain: () => {
      seen = endpoint.pools;
    },
  };
  endpoint.drainPools();
  t.equal(seen, null);
  t.equal(endpoint.isRemoved, false);
  endpoint.drainPools();
  endpoint.remove();
  t.equal(endpoint.isRemoved, true);
  t.end();
});

t.test('its transport is that of its metadata, and connections that another made are let go', (t) => {
  const transports = [{}, {}] as UpstreamTransport[];
  const { endpoint } = make('unknown', ({ app }) => transports[Number(app?.['transport'] ?? 0)]!);
  let drained = 0;
  endpoint.pools = { drain: () => drained++ };
  t.equal(endpoint.transport, transports[0]);
  const same = makeEndpoint('10.0.0.1') as ResolvedEndpoint;
  endpoint.update(same, place);
  t.equal(drained, 0);
  endpoint.update({ ...same, metadata: { app: { transport: 1 } } }, place);
  t.equal(endpoint.transport, transports[1]);
  t.equal(drained, 1);
  t.equal(endpoint.pools, null);
  t.end();
});

t.test('is idle without requests and connections', (t) => {
  const { endpoint } = make();
  t.equal(endpoint.isIdle, true);
  endpoint.activeRequests = 1;
  t.equal(endpoint.isIdle, false);
  endpoint.activeRequests = 0;
  endpoint.activeConnections = 1;
  t.equal(endpoint.isIdle, false);
  t.end();
});

t.test('takes counters when it is first counted, once, and gives them back', (t) => {
  const { endpoint, statsSource } = make();
  const before = statsSource.blocksInUse();
  endpoint.releaseStats();
  t.equal(statsSource.blocksInUse(), before);
  t.equal(endpoint.stats, endpoint.stats);
  t.equal(statsSource.blocksInUse(), before + 1);
  endpoint.releaseStats();
  t.equal(statsSource.blocksInUse(), before);
  t.end();
});
