// The bootstrap both Envoy and outrigger run.
import t from 'tap';
import { envoyBootstrap } from '../../../bench/peers/envoy-bootstrap.ts';
import type { PeerSetup } from '../../../bench/peers/peer.ts';
import { onlyItems } from '../../support/only-items.ts';

const SETUP: PeerSetup = {
  directory: '/scratch',
  profile: 'bare',
  httpPort: 1,
  tcpPort: 2,
  adminPort: 3,
  originPort: 4,
  clusters: 1,
};

type Shape = {
  static_resources: {
    clusters: unknown[];
    listeners: { filter_chains: { filters: { typed_config: Record<string, unknown> }[] }[] }[];
  };
};

function connectionManager(setup: PeerSetup) {
  const bootstrap = envoyBootstrap(setup) as Shape;
  return bootstrap.static_resources.listeners[0]!.filter_chains[0]!.filters[0]!.typed_config;
}

t.test('bare switches off what Envoy advises to switch off', async (t) => {
  const manager = connectionManager(SETUP);
  t.equal(manager['generate_request_id'], false);
  t.notOk('access_log' in manager);
  t.match(manager['http_filters'], onlyItems({ typed_config: { dynamic_stats: false, suppress_envoy_headers: true } }));
});

t.test('mesh has an access log, request ids and twenty routes', async (t) => {
  const manager = connectionManager({ ...SETUP, profile: 'mesh' });
  t.equal(manager['generate_request_id'], true);
  t.match(manager['access_log'], onlyItems({ typed_config: { path: '/scratch/access.log' } }));
  const { virtual_hosts } = manager['route_config'] as { virtual_hosts: { routes: unknown[] }[] };
  t.equal(virtual_hosts[0]?.routes.length, 20);
});

t.test('every cluster has a virtual host of its own', async (t) => {
  const setup = { ...SETUP, clusters: 3 };
  t.equal((envoyBootstrap(setup) as Shape).static_resources.clusters.length, 3);
  const { virtual_hosts } = connectionManager(setup)['route_config'] as { virtual_hosts: { domains: string[] }[] };
  t.same(
    virtual_hosts.map((one) => one.domains),
    [['service-0.example'], ['service-1.example'], ['service-2.example']],
  );
});

t.test('with a control plane only its address is in the file', async (t) => {
  const bootstrap = envoyBootstrap({ ...SETUP, clusters: 10_000, controlPlanePort: 18000 }) as Shape;
  t.match(bootstrap, { dynamic_resources: { ads_config: { api_type: 'DELTA_GRPC' } } });
  t.equal(bootstrap.static_resources.clusters.length, 1);
  t.equal(bootstrap.static_resources.listeners, undefined);
});

t.test('with a collector spans go there, and a payment service is routed to', async (t) => {
  const setup = { ...SETUP, telemetry: { collectorPort: 4318, percent: 1 } };
  const manager = connectionManager(setup);
  t.match(manager, { generate_request_id: true, tracing: { random_sampling: { value: 1 } } });
  t.match(JSON.stringify(manager), '"prefix":"/payment"');
  t.equal((envoyBootstrap(setup) as Shape).static_resources.clusters.length, 3);
});

t.test('beside it one without tracing is the same in everything else', async (t) => {
  const { tracing, ...others } = connectionManager({ ...SETUP, telemetry: { collectorPort: 4318, percent: 1 } });
  t.ok(tracing);
  t.same(connectionManager({ ...SETUP, telemetry: { collectorPort: 4318, percent: null } }), others);
});
