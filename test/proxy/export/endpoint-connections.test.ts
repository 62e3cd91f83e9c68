import t from 'tap';
import type { CollectorEndpoint } from '../../../proxy/export/collector-address.ts';
import { EndpointConnections } from '../../../proxy/export/endpoint-connections.ts';
import { plainly } from '../../support/export-fixtures.ts';
import { upstreamTls } from '../../support/tls-config-fixtures.ts';

function makeConnections() {
  const opened: number[] = [];
  const closed: number[] = [];
  const connections = new EndpointConnections(
    () => opened.push(opened.length),
    (number) => closed.push(number),
  );
  return { connections, opened, closed };
}

t.test('an endpoint keeps its connections while it is there', (t) => {
  const { connections, closed } = makeConnections();
  const first = connections.of(plainly(1));
  t.not(connections.of(plainly(2)), first);
  t.equal(connections.of(plainly(1)), first);
  connections.retain([plainly(2)]);
  t.same(closed, [first]);
  t.not(connections.of(plainly(1)), first);
  t.end();
});

t.test('nothing goes over connections of before when an endpoint is spoken to in another way', (t) => {
  const { connections, opened, closed } = makeConnections();
  const [config, other] = [upstreamTls(), upstreamTls()];
  const secured = (hostname: string, tls = config): CollectorEndpoint => {
    const secrets = () => new Map();
    return { ...plainly(1), tls: { kind: 'cluster', config: tls, hostname, secrets, handshakeTimeoutMs: 1 } };
  };
  const ways = [plainly(1), secured('a'), secured('b'), secured('b', other), plainly(1)];
  for (const way of ways) {
    connections.retain([way]);
    t.equal(connections.of(way), connections.of(way.tls === undefined ? way : { ...way, tls: { ...way.tls } }));
  }
  t.equal(opened.length, ways.length);
  t.equal(closed.length, ways.length - 1);
  t.end();
});

t.test('one address under two names keeps the connections of both', (t) => {
  const { connections, opened, closed } = makeConnections();
  const config = upstreamTls();
  const named = (hostname: string): CollectorEndpoint => {
    const secrets = () => new Map();
    return { ...plainly(1), tls: { kind: 'cluster', config, hostname, secrets, handshakeTimeoutMs: 1 } };
  };
  for (let turn = 0; turn < 3; turn++) {
    connections.retain([named('a'), named('b')]);
    t.not(connections.of(named('a')), connections.of(named('b')));
  }
  t.same([opened.length, closed.length], [2, 0]);
  connections.retain([named('b')]);
  t.equal(closed.length, 1);
  t.end();
});
