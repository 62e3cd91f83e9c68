import { hash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { formatCommands } from '../../../config/format-commands.ts';
import { opensslName, tlsOperators } from '../../../proxy/format/tls-operators.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { certificateFactsOf } from '../../../proxy/tls/facts.ts';
import type { CertificateFacts, TlsFacts } from '../../../proxy/transport/tls-facts.ts';
import { makeLeaf, makeRoot } from '../../support/certificates.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

const peer: CertificateFacts = {
  subject: 'CN=web',
  issuer: 'O=cluster.local',
  serial: '1a2b',
  sha256: 'ab'.repeat(32),
  sha1: 'cd'.repeat(20),
  uris: ['spiffe://t/ns/a/sa/web', 'https://web'],
  dnsNames: ['web', 'web.a'],
  ipAddresses: ['10.0.0.1'],
  emails: [],
  notBeforeMs: Date.UTC(2026, 10, 21, 1, 2, 3, 400),
  notAfterMs: Date.UTC(2026, 10, 22),
  chain: [Buffer.from('own'), Buffer.from('issuer')],
};
const tls: TlsFacts = {
  version: 'TLSv1.2',
  cipher: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  group: 'X25519',
  alpn: '',
  serverName: 'web.example',
  isResumed: false,
  peer,
  isPeerVerified: true,
  own: { ...peer, subject: 'CN=us', uris: [] },
};

function operate(name: string, given: Partial<StreamInfo>, argument: string | null = null) {
  const info = Object.assign(new StreamInfo(), given);
  return tlsOperators[name]!({ name, argument, maxLength: null })({ ...finishedRequest(), info });
}

t.test('names of a client that was not verified are not told, and its certificate is', (t) => {
  const given = { downstreamTls: { ...tls, isPeerVerified: false } };
  for (const name of ['SUBJECT', 'ISSUER', 'URI_SAN', 'DNS_SAN', 'IP_SAN', 'EMAIL_SAN']) {
    t.equal(operate(`DOWNSTREAM_PEER_${name}`, given), null, name);
  }
  t.equal(operate('DOWNSTREAM_PEER_FINGERPRINT_256', given), peer.sha256);
  t.equal(operate('DOWNSTREAM_LOCAL_SUBJECT', given), 'CN=us');
  t.end();
});

t.test('each side of each connection is told as Envoy tells it', (t) => {
  for (const [name, expected] of [
    ['TLS_VERSION', 'TLSv1.2'],
    ['TLS_CIPHER', 'ECDHE-RSA-AES128-GCM-SHA256'],
    ['TLS_SESSION_ID', null],
    ['PEER_URI_SAN', 'spiffe://t/ns/a/sa/web,https://web'],
    ['PEER_DNS_SAN', 'web,web.a'],
    ['PEER_EMAIL_SAN', null],
    ['PEER_SUBJECT', 'CN=web'],
    ['PEER_ISSUER', 'O=cluster.local'],
    ['PEER_SERIAL', '1a2b'],
    ['PEER_FINGERPRINT_256', peer.sha256],
    ['PEER_FINGERPRINT_1', peer.sha1],
    ['PEER_CERT_V_START', '2026-11-21T01:02:03.000Z'],
    ['LOCAL_SUBJECT', 'CN=us'],
    ['LOCAL_URI_SAN', null],
  ] as const) {
    t.equal(operate(`DOWNSTREAM_${name}`, { downstreamTls: tls }), expected, name);
    t.equal(operate(`UPSTREAM_${name}`, { upstreamTls: tls }), expected, name);
  }
  t.equal(operate('DOWNSTREAM_PEER_CERT_V_END', { downstreamTls: tls }, '%d.%m.%Y'), '22.11.2026');
  t.equal(operate('DOWNSTREAM_PEER_CERT', { downstreamTls: tls }), operate('UPSTREAM_PEER_CERT', { upstreamTls: tls }));
  t.match(operate('DOWNSTREAM_PEER_CERT', { downstreamTls: tls }), /^-----BEGIN%20CERTIFICATE-----%0A[\w%]+-----END/);
  t.equal(operate('UPSTREAM_SERVER_NAME', { upstreamTls: tls }), 'web.example');
  t.equal(operate('DOWNSTREAM_TLS_SESSION_ID', { downstreamTls: { ...tls, sessionId: '0f' } }), '0f');
  t.end();
});

t.test('a plain connection has nothing to tell, and one without a certificate nothing of it', (t) => {
  for (const name of Object.keys(tlsOperators)) t.equal(operate(name, {}), null, name);
  const anonymous = { ...tls, peer: null, own: null };
  t.equal(operate('DOWNSTREAM_PEER_SUBJECT', { downstreamTls: anonymous }), null);
  t.equal(operate('DOWNSTREAM_PEER_CERT_V_START', { downstreamTls: anonymous }), null);
  t.end();
});

t.test('the chain of a client is told, and names of types of their own', async (t) => {
  const directory = t.testdir({});
  const root = makeRoot(directory, 'root');
  const otherName = 'otherName:1.3.6.1.4.1.311.20.2.3;UTF8:web@a,otherName:1.2.3.4;INTEGER:12';
  const leaf = makeLeaf({ directory, name: 'leaf', root, subjectAltName: otherName });
  const chain = [leaf, root].map(({ certificate }) => new X509Certificate(readFileSync(certificate)));
  const facts = certificateFactsOf(chain.map(({ raw }) => raw))!;
  const given = { downstreamTls: { ...tls, peer: facts, own: facts } };
  const bare = (digits: string): string => digits.replaceAll(':', '').replace(/^0+/, '').toLowerCase();
  const digests = (read: (certificate: X509Certificate) => string) => chain.map((each) => read(each)).join(',');
  t.equal(
    operate('DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256', given),
    digests(({ raw }) => hash('sha256', raw)),
  );
  t.equal(
    operate('DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1', given),
    digests(({ raw }) => hash('sha1', raw)),
  );
  t.equal(
    operate('DOWNSTREAM_PEER_CHAIN_SERIALS', given),
    digests(({ serialNumber }) => bare(serialNumber)),
  );
  t.equal(operate('DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256', given), hash('sha256', chain[1]!.raw));
  t.equal(operate('DOWNSTREAM_PEER_ISSUER_SERIAL', given), bare(chain[1]!.serialNumber));
  t.equal(operate('DOWNSTREAM_PEER_OTHERNAME_SAN', given), 'web@a,12');
  t.equal(operate('DOWNSTREAM_LOCAL_OTHERNAME_SAN', given), 'web@a,12');
  const alone = {
    downstreamTls: { ...tls, peer: { ...facts, chain: facts.chain.slice(0, 1) }, isPeerVerified: false },
  };
  t.equal(operate('DOWNSTREAM_PEER_ISSUER_SERIAL', alone), null, 'nobody came along');
  t.equal(operate('DOWNSTREAM_PEER_OTHERNAME_SAN', alone), null, 'nobody vouches for it');
});

t.test('a name in a certificate cannot end a line', (t) => {
  const evil = { ...tls, peer: { ...peer, uris: ['spiffe://t/\r\nGET'] } };
  t.equal(operate('DOWNSTREAM_PEER_URI_SAN', { downstreamTls: evil }), 'spiffe://t/\\x0d\\x0aGET');
  t.end();
});

t.test('every command is one that formats may name', (t) => {
  for (const name of Object.keys(tlsOperators)) t.ok(formatCommands.has(name), name);
  t.end();
});

t.test('ciphers have the names of OpenSSL', (t) => {
  for (const [standard, name] of [
    ['TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384'],
    ['TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
    ['TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256', 'ECDHE-RSA-CHACHA20-POLY1305'],
    ['TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA', 'ECDHE-RSA-AES128-SHA'],
    ['TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256'],
    ['TLS_DHE_PSK_WITH_SOMETHING', 'TLS_DHE_PSK_WITH_SOMETHING'],
  ] as const)
    t.equal(opensslName(standard), name);
  t.end();
});
