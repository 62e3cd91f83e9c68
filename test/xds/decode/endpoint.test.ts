import t from 'tap';
import { decodeLoadAssignment, decodeLocality, decodeMetadata } from '../../../xds/decode/endpoint.ts';
import type { ClusterLoadAssignment } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const assignment = (fields: string) =>
  decodedAs(
    'envoy.config.endpoint.v3.ClusterLoadAssignment',
    `{cluster_name: c, ${fields}}`,
    (message: ClusterLoadAssignment, problems) => decodeLoadAssignment(message, problems),
  );
const address = 'address: {socket_address: {address: 127.0.0.1, port_value: 80}}';

t.test('an endpoint has the defaults', async (t) => {
  t.same(assignment(`endpoints: [{lb_endpoints: [{endpoint: {${address}}}]}]`).value, {
    localities: [
      {
        locality: { region: '', zone: '', subZone: '' },
        priority: 0,
        weight: 0,
        endpoints: [
          {
            address: { kind: 'ip', ip: '127.0.0.1', port: 80 },
            hostname: '',
            weight: 1,
            health: 'unknown',
            metadata: {},
          },
        ],
      },
    ],
    overprovisioningFactorPercent: 140,
  });
});

t.test('what endpoints, localities and the policy set', async (t) => {
  const endpoint = `{endpoint: {${address}, hostname: h}, load_balancing_weight: 3, health_status: DRAINING, metadata: {filter_metadata: {n: {k: v}}}}`;
  const { value, problems } = assignment(
    `policy: {overprovisioning_factor: 100}, endpoints: [{locality: {region: r, zone: z, sub_zone: s}, priority: 2, load_balancing_weight: 5, lb_endpoints: [${endpoint}]}]`,
  );
  t.same(problems, []);
  t.match(value, {
    overprovisioningFactorPercent: 100,
    localities: onlyItems({
      locality: { region: 'r', zone: 'z', subZone: 's' },
      priority: 2,
      weight: 5,
      endpoints: onlyItems({ hostname: 'h', weight: 3, health: 'draining', metadata: { n: { k: 'v' } } }),
    }),
  });
});

t.test('an endpoint without an address is a problem and left out', async (t) => {
  const rows: readonly [endpoint: string, problem: string][] = [
    ['{}', 'endpoint: endpoint is required'],
    ['{endpoint: {}}', 'endpoint.address: address is required'],
    ['{endpoint: {address: {}}}', 'endpoint.address: one of socket_address, pipe is required'],
    [`{endpoint: {${address}}, load_balancing_weight: 0}`, 'load_balancing_weight: must be at least 1, got 0'],
    ['{endpoint_name: a}', 'endpoint_name: endpoint_name is not supported; write the endpoint in place'],
  ];
  for (const [endpoint, problem] of rows) {
    const { problems } = assignment(`endpoints: [{lb_endpoints: [${endpoint}]}]`);
    t.equal(problems[0], `endpoints[0].lb_endpoints[0].${problem}`);
  }
  t.match(assignment('endpoints: [{lb_endpoints: [{}]}]').value.localities, onlyItems({ endpoints: noItems }));
});

t.test('parts that are not given are empty', async (t) => {
  t.same(decodeLocality(undefined), { region: '', zone: '', subZone: '' });
  t.same(decodeMetadata(undefined), {});
});
