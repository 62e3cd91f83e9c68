import t from 'tap';
import type { EndpointRuntime } from '../../../proxy/cluster/endpoint-runtime.ts';
import {
  maxOriginalDestinations,
  type OriginalDestinationDiscovery,
  OriginalDestinations,
} from '../../../proxy/cluster/original-dst.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { makeContext, makeOwner } from '../../support/cluster-fixtures.ts';

function make(given: Partial<OriginalDestinationDiscovery> = {}) {
  const owner = makeOwner();
  const destinations = new OriginalDestinations(
    {
      kind: 'original-dst',
      cleanupIntervalMs: 5000,
      useHttpHeader: false,
      httpHeaderName: 'x-envoy-original-dst-host',
      ...given,
    },
    owner,
  );
  const choose = (originalDestination: string, originalDestinationHeader: string | null = null) =>
    destinations.choose(makeContext({ originalDestination, originalDestinationHeader }));
  return { destinations, owner, choose };
}

t.test('the endpoint is the original destination, the same one every time', (t) => {
  const { choose } = make();
  const endpoint = choose('10.1.2.3:8080');
  t.match(endpoint, { key: '10.1.2.3:8080', address: { kind: 'ip', ip: '10.1.2.3', port: 8080 } });
  t.equal(choose('10.1.2.3:8080'), endpoint);
  t.match(choose('[2001:DB8::1]:443'), { key: '[2001:db8::1]:443' });
  t.end();
});

t.test('what is no address and port has no endpoint', (t) => {
  const { choose } = make();
  const wrong = [
    '',
    'fruit.test:80',
    '10.0.0.1',
    '10.0.0.1:0',
    '10.0.0.1:65536',
    '10.0.0.256:80',
    '::1:80',
    '[10.0.0.1]:80',
  ];
  for (const text of wrong) t.equal(choose(text), null, text);
  t.end();
});

t.test('the header is heeded only by a cluster that trusts it', (t) => {
  const trusting = make({ useHttpHeader: true });
  t.match(trusting.choose('10.0.0.1:80', '10.0.0.2:81'), { key: '10.0.0.2:81' });
  t.match(trusting.choose('10.0.0.1:80'), { key: '10.0.0.1:80' });
  t.equal(trusting.choose('10.0.0.1:80', 'fruit'), null, 'a bad header does not fall back');
  t.equal(trusting.owner.stats.get(clusterStats.originalDstHostInvalid), 1);
  t.match(make().choose('10.0.0.1:80', '10.0.0.2:81'), { key: '10.0.0.1:80' });
  t.end();
});

t.test('a port override makes one endpoint of all ports', (t) => {
  const { choose, destinations } = make({ portOverride: 15008 });
  const endpoint = choose('10.0.0.1:80');
  t.match(endpoint, { key: '10.0.0.1:15008' });
  t.equal(choose('10.0.0.1:81'), endpoint);
  t.equal([...destinations.endpoints()].length, 1);
  t.end();
});

t.test('endpoints go when nobody used them for a whole interval', (t) => {
  const { choose, destinations } = make();
  const endpoints = ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'].map((text) => choose(text)) as EndpointRuntime[];
  const [unused, chosen, connected] = endpoints;
  const left = () => [...destinations.endpoints()];
  destinations.cleanUp(0);
  t.same(left().length, 3, 'they were used since the last time');
  choose('10.0.0.2:80');
  connected!.activeConnections = 1;
  destinations.cleanUp(4999);
  t.same(left().length, 3, 'not before the interval is over');
  destinations.cleanUp(5000);
  t.same(left(), [chosen, connected]);
  t.equal(unused!.isRemoved, true);
  t.not(choose('10.0.0.1:80'), unused, 'and come back as new ones');
  t.end();
});

t.test('the number of destinations is bounded, and known ones are still served', (t) => {
  const { choose } = make();
  for (let i = 0; i < maxOriginalDestinations; i++) choose(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}:80`);
  t.equal(choose('192.0.2.1:80'), null);
  t.match(choose('10.0.0.7:80'), { key: '10.0.0.7:80' });
  t.end();
});

t.test('with its cluster every destination goes', (t) => {
  const { destinations, choose } = make();
  const endpoint = choose('10.1.2.3:8080');
  choose('10.1.2.4:8080');
  destinations.removeAll();
  t.same([...destinations.endpoints()], []);
  t.not(choose('10.1.2.3:8080'), endpoint);
  t.end();
});
