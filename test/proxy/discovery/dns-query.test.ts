import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { formatAddress } from '../../../config/address.ts';
import { DnsDiscovery } from '../../../proxy/discovery/dns-discovery.ts';
import { createDnsQuery } from '../../../proxy/discovery/dns-query.ts';
import { makeAssignment, makeCluster, makeEndpoint, makeLocality } from '../../support/cluster-fixtures.ts';
import { DnsServer } from '../../support/dns-server.ts';

async function serve(t: Test) {
  const server = new DnsServer();
  t.teardown(() => server.close());
  const address = await server.listen();
  const query = createDnsQuery({ resolvers: [address], timeoutMs: 1000, maxConcurrent: 4 });
  return { server, address, query };
}

t.test('asks the given server for addresses of one family, with the shortest time to live', async (t) => {
  const { server, query } = await serve(t);
  server.table = {
    'fruit.test': [
      { ip: '10.0.0.1', ttlSeconds: 60 },
      { ip: '10.0.0.2', ttlSeconds: 30 },
      { ip: '2001:db8::1', ttlSeconds: 5 },
    ],
  };
  t.same(await query('fruit.test', 'A'), { kind: 'answered', ips: ['10.0.0.1', '10.0.0.2'], ttlMs: 30_000 });
  t.same(await query('fruit.test', 'AAAA'), { kind: 'answered', ips: ['2001:db8::1'], ttlMs: 5000 });
});

t.test('that there is no such name, or no such record, is an answer', async (t) => {
  const { server, query } = await serve(t);
  server.table = { 'six.test': [{ ip: '2001:db8::1', ttlSeconds: 5 }] };
  const nothing = { kind: 'answered', ips: [], ttlMs: null } as const;
  t.same(await query('none.test', 'A'), nothing);
  t.same(await query('six.test', 'A'), nothing);
});

t.test('a server that cannot tell is a failure', async (t) => {
  const { server, query } = await serve(t);
  server.table = { 'broken.test': 'broken' };
  t.match(await query('broken.test', 'A'), { kind: 'failed', reason: /ESERVFAIL/ });
});

t.test('more questions than may be asked at once all get their answer', async (t) => {
  const { server, query } = await serve(t);
  const names = Array.from({ length: 30 }, (_, i) => `n${i}.test`);
  server.table = Object.fromEntries(names.map((name, i) => [name, [{ ip: `10.0.0.${i}`, ttlSeconds: 1 }]]));
  const outcomes = await Promise.all(names.map((name) => query(name, 'A')));
  t.same(
    outcomes.map((outcome) => outcome.kind === 'answered' && outcome.ips[0]),
    names.map((_, i) => `10.0.0.${i}`),
  );
});

t.test('not more are asked at once than may be, and others when these are answered', async (t) => {
  const server = createSocket('udp4');
  t.teardown(() => server.close());
  await once(server.bind(0, '127.0.0.1'), 'listening');
  const { port } = server.address();
  const atOnce: number[] = [];
  const held: (() => void)[] = [];
  server.on('message', (message, peer) => {
    if (message.toString() === 'mark') {
      atOnce.push(held.length);
      for (const answer of held.splice(0)) answer();
      return;
    }
    held.push(() => {
      // The question, as a response that there is no such name.
      message.writeUInt16BE(0x8183, 2);
      server.send(message, peer.port, peer.address);
    });
    // Datagrams come in the order in which they were sent: what was asked at once is before the mark.
    if (held.length === 2) server.send('mark', port, '127.0.0.1');
  });
  const resolvers = [{ kind: 'ip', ip: '127.0.0.1', port }] as const;
  const query = createDnsQuery({ resolvers, timeoutMs: 60_000, maxConcurrent: 2 });
  const names = Array.from({ length: 6 }, (_, i) => `n${i}.test`);
  await Promise.all(names.map((name) => query(name, 'A')));
  t.same(atOnce, [2, 2, 2]);
});

t.test('a cluster is resolved through its own server from end to end', async (t) => {
  const { server, address } = await serve(t);
  server.table = { 'fruit.test': [{ ip: '10.0.0.7', ttlSeconds: 60 }] };
  const endpoint = {
    ...makeEndpoint('0.0.0.0'),
    address: { kind: 'host', hostname: 'fruit.test.', port: 8080 },
  } as const;
  const cluster = makeCluster({
    discovery: {
      kind: 'strict-dns',
      assignment: makeAssignment([makeLocality([endpoint])]),
      dns: {
        family: 'auto',
        refreshRateMs: 60_000,
        respectTtl: true,
        failureRefreshBaseMs: 60_000,
        failureRefreshMaxMs: 60_000,
        jitterMs: 0,
        resolvers: [address],
      },
    },
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  const discovery = new DnsDiscovery({
    onAssignment: (name, { localities }) =>
      resolve(`${name} ${localities[0]!.endpoints.map((each) => formatAddress(each.address)).join()}`),
  });
  t.teardown(() => discovery.stop());
  discovery.update(new Map([['fruit', cluster]]));
  t.equal(await promise, 'fruit 10.0.0.7:8080');
  t.same(server.questions, ['fruit.test AAAA', 'fruit.test A']);
});
