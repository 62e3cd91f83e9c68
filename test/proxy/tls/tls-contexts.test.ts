import t from 'tap';
import { allowsDumps } from '../../../native/dumps.ts';
import { Errno } from '../../../native/errno.ts';
import { tlsFactsOf } from '../../../proxy/tls/facts.ts';
import {
  certificateSecret,
  downstreamTls,
  meet,
  reference,
  tlsRig,
  trustSecret,
  upstreamTls,
} from '../../support/tls-config-fixtures.ts';
import { Authority, passText } from '../../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const serverLeaf = mesh.issue({ subjectAltName: 'DNS:reviews.test,URI:spiffe://td/ns/a/sa/reviews' });
const laterLeaf = mesh.issue({ subjectAltName: 'DNS:reviews.test,URI:spiffe://td/ns/a/sa/later' });
const clientLeaf = mesh.issue({ subjectAltName: 'URI:spiffe://td/ns/a/sa/productpage' });
const server = certificateSecret('server', serverLeaf);
const client = certificateSecret('client', clientLeaf);
const trust = trustSecret('trust', { roots: { kind: 'pem', pem: mesh.certificate } });

t.test('two sides that have their secrets meet, and know each other', (t) => {
  const rig = tlsRig();
  rig.give(server, client, trust);
  const sides = {
    server: rig.contexts.server(downstreamTls(), '127.0.0.1:15006'),
    client: rig.contexts.client(upstreamTls(), 'reviews'),
  };
  const met = meet(t, { ...sides, options: { serverName: 'Reviews.test', verifiedName: 'reviews.test' } });
  t.same(met.results, [0, 0]);
  const [seenByServer, seenByClient] = [tlsFactsOf(met.server), tlsFactsOf(met.client)];
  t.same(seenByServer.peer?.uris, ['spiffe://td/ns/a/sa/productpage']);
  t.same(seenByServer.own?.uris, ['spiffe://td/ns/a/sa/reviews']);
  t.same(seenByClient.peer?.sha256, seenByServer.own?.sha256);
  t.same([seenByServer.isPeerVerified, seenByClient.isPeerVerified], [true, true]);
  t.equal(seenByServer.serverName, 'reviews.test');
  t.same([seenByServer.version, seenByServer.group, seenByServer.isResumed], ['TLSv1.3', 'X25519', false]);
  t.equal(rig.stat('listener.127.0.0.1_15006.ssl.handshake'), 1);
  t.equal(rig.stat('cluster.reviews.ssl.handshake'), 1);
  t.equal(rig.stat('listener.127.0.0.1_15006.ssl.versions.TLSv1.3'), 1);
  t.equal(rig.stat('listener.127.0.0.1_15006.ssl.curves.X25519'), 1);
  t.equal(rig.stat('listener.127.0.0.1_15006.ssl.ciphers.TLS_AES_128_GCM_SHA256'), 1);
  t.equal(rig.stat('listener.127.0.0.1_15006.ssl.no_certificate'), 0);
  t.end();
});

t.test('before its secrets have come a side says what it waits for, and begins once they are there', (t) => {
  const rig = tlsRig();
  rig.give(client, trust);
  const waiting = rig.contexts.server(downstreamTls(), 'l');
  t.equal(waiting.begin(0), 'the secret server has not come');
  t.equal(rig.stat('listener.l.server_ssl_socket_factory.downstream_context_secrets_not_ready'), 1);
  rig.give(server);
  t.same(meet(t, { server: waiting, client: rig.contexts.client(upstreamTls(), 'c') }).results, [0, 0]);
  rig.take('trust');
  t.equal(waiting.begin(0), 'the secret trust has not come');
  t.end();
});

t.test('what cannot be used is said, and a bad secret leaves the one before it in place', (t) => {
  const rig = tlsRig();
  rig.give(server, client, trust);
  const sides = { server: rig.contexts.server(downstreamTls(), 'l'), client: rig.contexts.client(upstreamTls(), 'c') };
  rig.give(certificateSecret('server', { ...serverLeaf, privateKey: laterLeaf.privateKey }));
  t.same(meet(t, sides).results, [0, 0], 'a key of another certificate');
  const wrong = rig.contexts.server(downstreamTls({ certificates: [reference('trust')] }), 'l');
  t.equal(wrong.begin(0), 'the secret trust is a validation-context, and no certificate');
  const bare = rig.contexts.server(downstreamTls({ certificates: [] }), 'l');
  t.equal(bare.begin(0), 'there is no certificate to show');
  const careless = rig.contexts.server({ ...downstreamTls({ requiresClientCertificate: true }), validation: {} }, 'l');
  t.match(careless.begin(0), /nothing says which are good/);
  rig.give(certificateSecret('bad', { ...serverLeaf, privateKey: 'none' }));
  const bad = rig.contexts.server(downstreamTls({ certificates: [reference('bad')] }), 'l');
  t.match(bad.begin(0), /^the secret bad cannot be used: the private key cannot be read: /);
  t.end();
});

t.test('a rotated certificate is shown from the next handshake on, and open connections go on', (t) => {
  const rig = tlsRig();
  rig.give(server, client, trust);
  const sides = { server: rig.contexts.server(downstreamTls(), 'l'), client: rig.contexts.client(upstreamTls(), 'c') };
  const before = meet(t, sides);
  rig.give(certificateSecret('server', laterLeaf));
  const after = meet(t, sides);
  t.same(tlsFactsOf(before.client).peer?.uris, ['spiffe://td/ns/a/sa/reviews']);
  t.same(tlsFactsOf(after.client).peer?.uris, ['spiffe://td/ns/a/sa/later']);
  t.equal(passText(before.client.session, before.server.session, 'still here'), 'still here');
  t.end();
});

t.test('1000 clusters with the same secrets have one context, and none before a connection begins', (t) => {
  const rig = tlsRig();
  rig.give(server, client, trust);
  const clusters = Array.from({ length: 1000 }, (_, index) => rig.contexts.client(upstreamTls(), `c${index}`));
  t.equal(rig.contexts.size, 0);
  for (const cluster of clusters) {
    const transport = cluster.begin(0, { serverName: 'a.test' });
    if (typeof transport === 'string') throw new Error(transport);
    transport.session.free();
  }
  t.equal(rig.contexts.size, 1);
  const other = clusters[0]!.begin(0, { serverName: '', alpn: ['istio'] });
  if (typeof other !== 'string') other.session.free();
  t.equal(rig.contexts.size, 2, 'another offer is another context');
  for (const cluster of clusters) cluster.release();
  t.equal(rig.contexts.size, 0);
  t.end();
});

t.test('a process with keys leaves no core file and cannot be read by others', (t) => {
  t.equal(allowsDumps(), false);
  t.end();
});

t.test('who is not let in is told why before any data, and counted', (t) => {
  const rig = tlsRig();
  rig.give(server, client, trust);
  const strict = rig.contexts.server(downstreamTls({ requiresClientCertificate: true }), 'l');
  const nobody = rig.contexts.client(upstreamTls({ certificates: [] }), 'c');
  const met = meet(t, { server: strict, client: nobody });
  t.equal(met.results[0], -Errno.EPROTO);
  t.match(met.server.problem, /peer did not return a certificate/);
  t.equal(rig.stat('listener.l.ssl.fail_verify_no_cert'), 1);
  t.equal(rig.stat('listener.l.ssl.connection_error'), 0);
  t.equal(rig.stat('listener.l.ssl.handshake'), 0);
  t.end();
});
