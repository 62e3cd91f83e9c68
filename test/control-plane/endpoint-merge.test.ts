import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { mergeMessages } from '../../control-plane/endpoint-merge.ts';
import { servedTypes } from '../../control-plane/served-type.ts';
import { decodeMessage, encodeMessage } from '../../xds/message/wire-message.ts';
import { messageOf } from '../support/config-fixtures.ts';

const [clusters, assignments] = servedTypes as [(typeof servedTypes)[0], (typeof servedTypes)[0]];

function merged(type: typeof clusters, first: string, second: string) {
  const [a, b] = [first, second].map((yaml) => encodeMessage(messageOf(type.messageType, yaml), type.messageType));
  const message = mergeMessages(type, a!, b!);
  t.equal(mergeMessages(type, a!, b!), message, 'the same again without work');
  return message && decodeMessage(message, type.messageType, new Problems());
}

const endpoint = (port: number, more = '') =>
  `{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: ${port}}}}${more}}`;

t.test('endpoints are merged by locality and priority, each address once, the first word counts', async (t) => {
  const result = merged(
    assignments,
    `{cluster_name: c, endpoints: [
      {locality: {zone: a}, load_balancing_weight: 5, lb_endpoints: [${endpoint(1, ', load_balancing_weight: 7')}]}]}`,
    `{cluster_name: c, endpoints: [
      {locality: {zone: a}, load_balancing_weight: 6, lb_endpoints: [${endpoint(1)}, ${endpoint(2)}]},
      {locality: {zone: a}, priority: 1, lb_endpoints: [${endpoint(3)}]},
      {lb_endpoints: [${endpoint(4)}]}]}`,
  );
  t.match(result, {
    clusterName: 'c',
    endpoints: [
      {
        locality: { zone: 'a' },
        loadBalancingWeight: 5,
        lbEndpoints: [
          { loadBalancingWeight: 7, endpoint: { address: { socketAddress: { portValue: 1 } } } },
          { endpoint: { address: { socketAddress: { portValue: 2 } } } },
        ],
      },
      { priority: 1, lbEndpoints: { length: 1 } },
      { lbEndpoints: [{ endpoint: { address: { socketAddress: { portValue: 4 } } } }] },
    ],
  });
});

t.test('clusters that list their endpoints are merged, others are taken from the first', async (t) => {
  const listed = (port: number, type = 'STATIC') =>
    `{name: c, type: ${type}, load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [${endpoint(port)}]}]}}`;
  const result = merged(clusters, listed(1), listed(2)) as {
    loadAssignment: { endpoints: { lbEndpoints: unknown[] }[] };
  };
  t.equal(result.loadAssignment.endpoints[0]!.lbEndpoints.length, 2);
  t.equal(merged(clusters, listed(1), listed(2, 'STRICT_DNS')), undefined);
  const eds = '{name: c, type: EDS, eds_cluster_config: {eds_config: {ads: {}}}}';
  t.equal(merged(clusters, eds, eds.replace('EDS', 'EDS')), undefined);
});

t.test('bytes that are not understood are left alone', async (t) => {
  t.equal(mergeMessages(assignments, Uint8Array.of(0xff), Uint8Array.of(0xff)), undefined);
  t.equal(mergeMessages(servedTypes[3]!, new Uint8Array(), new Uint8Array()), undefined, 'listeners have no endpoints');
});
