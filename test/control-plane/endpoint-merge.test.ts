import t from 'tap';
import { Problems } from '../../config/problems.ts';
import { mergeMessages, shareOf, sharesOf } from '../../control-plane/endpoint-merge.ts';
import { servedTypes } from '../../control-plane/served-type.ts';
import { decodeMessage, encodeMessage } from '../../xds/message/wire-message.ts';
import { messageOf } from '../support/config-fixtures.ts';
import { onlyItems } from '../support/only-items.ts';

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
    endpoints: onlyItems(
      {
        locality: { zone: 'a' },
        loadBalancingWeight: 5,
        lbEndpoints: onlyItems(
          { loadBalancingWeight: 7, endpoint: { address: { socketAddress: { portValue: 1 } } } },
          { endpoint: { address: { socketAddress: { portValue: 2 } } } },
        ),
      },
      { priority: 1, lbEndpoints: { length: 1 } },
      { lbEndpoints: onlyItems({ endpoint: { address: { socketAddress: { portValue: 4 } } } }) },
    ),
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
  const name = [0x0a, 1, 0x63];
  const withLeds = Uint8Array.from([...name, 0x12, 2, 0x42, 0]);
  t.equal(
    mergeMessages(assignments, withLeds, Uint8Array.from(name)),
    undefined,
    'nor a field that is not looked into',
  );
  const unknown = messageOf(
    clusters.messageType,
    '{name: c, type: STATIC, load_assignment: {cluster_name: c, endpoints: []}}',
  );
  const socket = { name: 's', typedConfig: { typeUrl: 't/x.Unknown', typeName: 'x.Unknown', message: undefined } };
  const withSocket = encodeMessage({ ...(unknown as object), transportSocket: socket }, clusters.messageType);
  t.equal(mergeMessages(clusters, withSocket, withSocket), undefined, 'nor a message of another type');
  t.equal(mergeMessages(servedTypes[3]!, new Uint8Array(), new Uint8Array()), undefined, 'listeners have no endpoints');
});

t.test('what was merged of several is taken apart by who has which endpoint', async (t) => {
  const assignment = (zones: { readonly [zone: string]: readonly number[] }) =>
    encodeMessage(
      messageOf(
        assignments.messageType,
        `{cluster_name: c, endpoints: [${Object.entries(zones).map(
          ([zone, ports]) =>
            `{locality: {zone: ${zone}}, lb_endpoints: [${ports.map((port) => endpoint(port)).join(', ')}]}`,
        )}]}`,
      ),
      assignments.messageType,
    );
  const parts = [assignment({ a: [1, 2] }), assignment({ b: [3], a: [2, 4] })] as const;
  const message = mergeMessages(assignments, ...parts)!;
  t.same(message, assignment({ a: [1, 2, 4], b: [3] }));
  const shares = sharesOf(assignments, message, parts);
  t.equal(shares, '1*1.3*1.2*2');
  t.same(shareOf(assignments, message, { shares, index: 0 }), parts[0]);
  t.same(shareOf(assignments, message, { shares, index: 1 }), assignment({ a: [2, 4], b: [3] }));
  for (const wrong of ['', '1*3', '1*5', '1*4.', 'x', '1*999999999', '-1*4'])
    t.equal(shareOf(assignments, message, { shares: wrong, index: 0 }), message, wrong);
  t.equal(sharesOf(assignments, message, [message]), '', 'of one there is nothing to tell');
  t.equal(sharesOf(servedTypes[3]!, message, parts), '');
  t.equal(sharesOf(assignments, message, parts.toReversed()), '2*1.3*1.1*2', 'of other parts it is told anew');
  t.equal(sharesOf(assignments, message, parts), shares);
  for (const bytes of [message, ...parts]) bytes.fill(0);
  t.equal(sharesOf(assignments, message, [...parts]), shares, 'of the same ones without looking into them again');
});

t.test('of as many as a number has bits it is told whose which endpoint is, of more it is not', async (t) => {
  const { messageType } = assignments;
  const partOf = (port: number) =>
    encodeMessage(
      messageOf(messageType, `{cluster_name: c, endpoints: [{lb_endpoints: [${endpoint(port)}]}]}`),
      messageType,
    );
  const parts = Array.from({ length: 32 }, (_, index) => partOf(index + 1));
  const mergeAll = (all: readonly Uint8Array[]) => all.reduce((one, other) => mergeMessages(assignments, one, other)!);
  const message = mergeAll(parts.slice(0, 31));
  const shares = sharesOf(assignments, message, parts.slice(0, 31));
  for (const index of [0, 29, 30]) t.same(shareOf(assignments, message, { shares, index }), parts[index]);
  t.equal(sharesOf(assignments, mergeAll(parts), parts), '');
});
