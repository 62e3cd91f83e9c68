import { execFileSync } from 'node:child_process';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import t from 'tap';
import { makeCertificateRequest } from '../../../xds/identity/certificate-request.ts';

const uri = 'spiffe://cluster.local/ns/shop/sa/cart';
const openssl = (request: string, ...args: readonly string[]) =>
  execFileSync('openssl', ['req', '-noout', ...args], { input: request, stdio: ['pipe', 'pipe', 'pipe'] }).toString();

for (const kind of ['ecdsa-p256', 'rsa-2048'] as const) {
  t.test(`openssl takes a request of ${kind} for signed by its own key, and reads the one name`, async (t) => {
    const { request, privateKey } = await makeCertificateRequest(uri, kind);
    t.doesNotThrow(() => openssl(request, '-verify'));
    const text = openssl(request, '-text');
    t.match(text, /Subject:\s*\n/, 'no subject');
    t.match(text, /X509v3 Subject Alternative Name: critical\n\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/cart\n/);
    const publicKey = createPublicKey(createPrivateKey(privateKey)).export({ type: 'spki', format: 'pem' });
    t.equal(openssl(request, '-pubkey'), publicKey);
  });
}

t.test('every request has a key of its own', async (t) => {
  const [first, second] = [
    await makeCertificateRequest(uri, 'ecdsa-p256'),
    await makeCertificateRequest(uri, 'ecdsa-p256'),
  ];
  t.not(first.privateKey, second.privateKey);
});
