import t from 'tap';
import type { HealthStatus, LoadAssignment } from '../../../config/endpoint.ts';
import { emptySnapshot } from '../../../config/snapshot.ts';
import { endpointConfigs } from '../../../proxy/admin/endpoint-configs.ts';
import { ServerState } from '../../../proxy/command/server-state.ts';
import { readProtoJson } from '../../../xds/message/proto-json.ts';
import { clusterOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';

const statuses: readonly HealthStatus[] = ['unknown', 'healthy', 'unhealthy', 'draining', 'timeout', 'degraded'];

const assignment: LoadAssignment = {
  overprovisioningFactorPercent: 120,
  localities: [
    {
      locality: { region: 'r', zone: '', subZone: 's' },
      priority: 1,
      weight: 5,
      endpoints: statuses.map((health, index) => ({
        address: { kind: 'ip', ip: '10.0.0.1', port: 80 + index },
        hostname: index === 0 ? 'h' : '',
        weight: 1 + index,
        health,
        metadata: index === 0 ? { 'envoy.lb': { a: 'b' } } : {},
      })),
    },
  ],
};

function configsOf(kind: 'eds' | 'static', given?: LoadAssignment) {
  const state = new ServerState({ concurrency: 1, restartEpoch: 0, version: '1.2.3' });
  const source = { kind: 'ads', initialFetchTimeoutMs: 0 } as const;
  const cluster = clusterOf('app', [9]);
  const eds = { ...cluster, discovery: { kind: 'eds', serviceName: 'service', source } } as const;
  const clusters = new Map([['app', kind === 'eds' ? eds : cluster]]);
  state.setSnapshot({ ...emptySnapshot, clusters, assignments: new Map(given === undefined ? [] : [['app', given]]) });
  return endpointConfigs(state);
}

t.test('members are shown as they are now, with what Envoy fills in', async (t) => {
  const [config] = configsOf('eds', assignment);
  t.equal(config!.name, 'app');
  const member = (port: number, health_status: string, more = {}, within = {}) => ({
    endpoint: {
      address: { socket_address: { address: '10.0.0.1', port_value: port } },
      health_check_config: {},
      ...within,
    },
    health_status,
    ...more,
    load_balancing_weight: port - 79,
  });
  t.strictSame(config!.assignment, {
    cluster_name: 'service',
    endpoints: [
      {
        locality: { region: 'r', sub_zone: 's' },
        lb_endpoints: [
          member(80, 'HEALTHY', { metadata: { filter_metadata: { 'envoy.lb': { a: 'b' } } } }, { hostname: 'h' }),
          member(81, 'HEALTHY'),
          member(82, 'UNHEALTHY'),
          member(83, 'UNHEALTHY'),
          member(84, 'UNHEALTHY'),
          member(85, 'DEGRADED'),
        ],
        load_balancing_weight: 5,
        priority: 1,
      },
    ],
    policy: { overprovisioning_factor: 120 },
  });
  const type = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
  const { problems, unknownFields } = readProtoJson(config!.assignment, type);
  t.same([...problems, ...unknownFields], []);
});

t.test('a cluster whose members have not come has none', async (t) => {
  const policy = { overprovisioning_factor: 140 };
  t.strictSame(configsOf('eds')[0]!.assignment, { cluster_name: 'service', endpoints: [], policy });
});

t.test('members that are written in the cluster are named after it', async (t) => {
  t.match(configsOf('static')[0]!.assignment, {
    cluster_name: 'app',
    endpoints: onlyItems({ lb_endpoints: onlyItems({ health_status: 'HEALTHY' }) }),
  });
});
