import t from 'tap';
import { tlsEntryFacts } from '../../../proxy/telemetry/access-log-tls.ts';
import { certificateFacts, tlsFacts } from '../../support/tls-facts-fixtures.ts';

const peer = certificateFacts({ uris: ['spiffe://t/a'], dnsNames: ['a.test'], subject: 'CN=a' });
const own = certificateFacts({ uris: ['spiffe://t/b'], subject: 'CN=b' });

t.test('a plain connection has no facts of TLS', async (t) => {
  t.equal(tlsEntryFacts(null), null);
});

t.test('both certificates, the name that was asked for, and version and cipher as numbers', async (t) => {
  const facts = tlsFacts({ cipher: 'TLS_AES_128_GCM_SHA256', serverName: 'b.test', own, peer });
  t.strictSame(tlsEntryFacts(facts), [
    4,
    0x1301,
    'b.test',
    [['spiffe://t/b'], [], 'CN=b', 'CN=ca'],
    [['spiffe://t/a'], ['a.test'], 'CN=a', 'CN=ca'],
    '',
  ]);
  const older = tlsFacts({ version: 'TLSv1.2', cipher: 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', sessionId: 'ab' });
  const noNames = [[], [], '', 'CN=ca'];
  t.strictSame(tlsEntryFacts(older), [3, 0xc02f, '', noNames, noNames, 'ab']);
  t.strictSame(tlsEntryFacts(tlsFacts({ cipher: 'TLS_NEW' })), [4, 0, '', noNames, noNames, '']);
});

t.test('a client whom nobody vouches for is not told by its names', async (t) => {
  t.strictSame(tlsEntryFacts(tlsFacts({ own: null, peer, isPeerVerified: false })), [4, 0, '', null, null, '']);
});
