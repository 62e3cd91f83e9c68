import t from 'tap';
import { tlsFactsOf } from '../../../proxy/tls/facts.ts';
import { type Carried, spokenProtocols } from '../../../proxy/tls/spoken-protocols.ts';
import {
  certificateSecret,
  downstreamTls,
  meet,
  tlsRig,
  trustSecret,
  upstreamTls,
} from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const OF_ISTIO = ['istio-peer-exchange', 'h2', 'http/1.1'];

t.test('what nobody here reads is not agreed on; of bytes only what is put in front of them', (t) => {
  t.same(spokenProtocols(OF_ISTIO, 'http'), ['http/1.1']);
  t.same(spokenProtocols(OF_ISTIO, 'bytes'), ['h2', 'http/1.1']);
  t.same(spokenProtocols(OF_ISTIO, { bytesBehind: 'istio-peer-exchange' }), OF_ISTIO);
  t.same(spokenProtocols(OF_ISTIO, { bytesBehind: 'another' }), ['h2', 'http/1.1']);
  t.same(spokenProtocols(['istio-http/1.1', 'istio', 'istio-h2'], 'http'), ['istio-http/1.1', 'istio']);
  t.end();
});

t.test(
  'a peer that prefers HTTP/2 gets HTTP/1.1 where requests are read, and HTTP/2 where bytes are passed on',
  (t) => {
    const mesh = Authority.make(t.testdir(), 'mesh');
    const rig = tlsRig();
    rig.give(
      certificateSecret('server', mesh.issue()),
      certificateSecret('client', mesh.issue()),
      trustSecret('trust', { roots: { kind: 'pem', pem: mesh.certificate } }),
    );
    const client = rig.contexts.client(upstreamTls({ alpnProtocols: OF_ISTIO }), 'c');
    const agreed = (carries: Carried, alpn?: readonly string[]): string => {
      const server = rig.contexts.server(downstreamTls({ alpnProtocols: OF_ISTIO }), 'l', carries);
      const met = meet(t, { server, client, options: { serverName: '', ...(alpn && { alpn }) } });
      t.same(met.results, [0, 0]);
      return tlsFactsOf(met.server).alpn;
    };
    t.equal(agreed('http', OF_ISTIO), 'http/1.1');
    t.equal(agreed('bytes', OF_ISTIO), 'h2');
    t.equal(agreed('bytes'), 'http/1.1', 'a cluster offers neither');
    t.equal(agreed('http', ['istio-peer-exchange', 'istio']), '', 'on it goes without');
    t.equal(agreed({ bytesBehind: 'istio-peer-exchange' }, ['istio-peer-exchange', 'istio']), 'istio-peer-exchange');
    t.end();
  },
);
