import t from 'tap';
import type { Cluster } from '../../../config/cluster.ts';
import { areTransportsAlike, UpstreamTransports } from '../../../proxy/cluster/upstream-transports.ts';
import { makeCluster } from '../../support/cluster-fixtures.ts';
import { upstreamTls } from '../../support/tls-config-fixtures.ts';

const tls = (sni: string) => ({ kind: 'tls', tls: upstreamTls({ sni }) }) as const;
const matching = (metadata: object) => ({ 'envoy.transport_socket_match': metadata });

function compile(given: Partial<Cluster>) {
  const made: string[] = [];
  const released: string[] = [];
  const client = ({ sni }: { readonly sni: string }, cluster: string) => {
    made.push(`${cluster} ${sni}`);
    return { begin: () => sni, release: () => released.push(sni) };
  };
  const transports = new UpstreamTransports(makeCluster({ name: 'app', ...given }), { client } as never);
  const sniFor = (metadata: object) => transports.of(metadata as never)?.begin(3, '', null) ?? 'plain';
  return { transports, sniFor, made, released };
}

t.test('a plain cluster makes nothing', (t) => {
  const { sniFor, made } = compile({});
  t.equal(sniFor({}), 'plain');
  t.same(made, []);
  t.end();
});

t.test('the first match of an endpoint wins, and what none is for has the transport of the cluster', (t) => {
  const mutual = { name: 'mutual', match: { tlsMode: 'istio' }, transport: tls('istio') };
  const both = { name: 'both', match: { tlsMode: 'other', zone: 'a' }, transport: tls('both') };
  const off = { name: 'off', match: { tlsMode: 'disabled' }, transport: { kind: 'plain' } } as const;
  const { sniFor, made, released, transports } = compile({
    transport: tls('own'),
    transportMatches: [mutual, both, off],
  });
  t.equal(sniFor(matching({ tlsMode: 'istio', zone: 'a' })), 'istio');
  t.equal(sniFor(matching({ tlsMode: 'other', zone: 'a' })), 'both');
  t.equal(sniFor(matching({ tlsMode: 'other' })), 'own', 'all criteria must hold');
  t.equal(sniFor(matching({ tlsMode: 'disabled' })), 'plain');
  t.equal(sniFor({}), 'own');
  t.same(made, ['app istio', 'app both', 'app own']);
  transports.release();
  t.same(released, ['istio', 'both', 'own']);
  t.end();
});

t.test('no criteria are for every endpoint', (t) => {
  const { sniFor } = compile({
    transport: tls('own'),
    transportMatches: [{ name: 'any', match: {}, transport: tls('any') }],
  });
  t.equal(sniFor({}), 'any');
  t.equal(sniFor(matching({ a: 'b' })), 'any');
  t.end();
});

t.test('transports are alike that are configured alike', (t) => {
  const cluster = makeCluster({ transport: tls('a') });
  t.ok(areTransportsAlike(cluster, makeCluster({ transport: tls('a'), connectTimeoutMs: 7 })));
  t.notOk(areTransportsAlike(cluster, makeCluster({ transport: tls('b') })));
  t.notOk(areTransportsAlike(cluster, makeCluster()));
  const match = { name: 'any', match: {}, transport: tls('any') };
  t.notOk(areTransportsAlike(cluster, makeCluster({ transport: tls('a'), transportMatches: [match] })));
  t.end();
});
