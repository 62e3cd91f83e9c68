import { join } from 'node:path';
import t from 'tap';
import type { TlsClientOptions } from '../../native/tls-context.ts';
import { Authority, sessionPair, shakeHands } from '../support/tls-fixtures.ts';

const mesh = Authority.make(join(t.testdir(), 'mesh'), 'mesh');
const [leaf, rsa] = [mesh.issue(), mesh.issue({ keyType: 'rsa' })];

function signaturesWith(client: Partial<TlsClientOptions>, server = leaf): (string | undefined)[] {
  const trust = { roots: mesh.certificate };
  const pair = sessionPair(
    t,
    { identity: server, trust, verification: 'optional' },
    { trust, verification: 'required', ...client },
  );
  t.same(shakeHands(pair), [0, 0]);
  return [pair.server.peerSignature, pair.client.peerSignature];
}

t.test('each side knows with what the other has signed', (t) => {
  t.same(signaturesWith({ identity: leaf }), ['ecdsa_secp256r1_sha256', 'ecdsa_secp256r1_sha256']);
  t.same(signaturesWith({ identity: rsa }), ['rsa_pss_rsae_sha256', 'ecdsa_secp256r1_sha256']);
  t.same(signaturesWith({ identity: leaf }, rsa), ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256']);
  t.end();
});

t.test('as it was asked for, also under TLS 1.2', (t) => {
  const older = { maxVersion: 0x0303, signatureAlgorithms: 'rsa_pkcs1_sha512' } as const;
  t.same(signaturesWith(older, rsa), [undefined, 'rsa_pkcs1_sha512']);
  t.end();
});

t.test('who shows no certificate signs nothing', (t) => {
  t.same(signaturesWith({}), [undefined, 'ecdsa_secp256r1_sha256']);
  t.end();
});
