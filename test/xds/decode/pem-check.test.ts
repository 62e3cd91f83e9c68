import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  chainProblem,
  keyProblem,
  ocspProblem,
  revocationProblem,
  rootsProblem,
} from '../../../xds/decode/pem-check.ts';
import { makeLeaf } from '../../support/certificates.ts';
import { makeSecretFiles } from '../../support/secret-fixtures.ts';

const files = makeSecretFiles(t.testdir());
const { root, leaf, other, encryptedKey } = files;
const begin = '-----BEGIN CERTIFICATE-----';

t.test('a chain is certificates, whatever stands between them; an expired one can be shown', async (t) => {
  t.equal(chainProblem(`about\n${leaf.chainPem}\nmore\n${root.chainPem}`), undefined);
  const expired = makeLeaf({ ...files, name: 'expired', subjectAltName: 'DNS:a', isExpired: true });
  t.equal(chainProblem(readFileSync(expired.certificate, 'utf8')), undefined);
  t.equal(chainProblem(''), 'has no certificate in PEM');
  t.equal(chainProblem(leaf.keyPem), 'has no certificate in PEM');
  t.equal(chainProblem(leaf.chainPem.replace(/M/, 'X')), 'certificate 1 of 1 cannot be read');
  t.equal(
    chainProblem(`${leaf.chainPem}${begin}\nAAAA\n-----END CERTIFICATE-----`),
    'certificate 2 of 2 cannot be read',
  );
  t.equal(chainProblem(`${begin}${begin}`), 'has no certificate in PEM');
});

t.test('a key belongs to its certificate', async (t) => {
  t.equal(keyProblem(leaf.keyPem, undefined, leaf.chainPem), undefined);
  t.equal(keyProblem(other.keyPem, undefined, leaf.chainPem), 'does not belong to the certificate');
  t.equal(keyProblem(leaf.keyPem, undefined, `${root.chainPem}${leaf.chainPem}`), 'does not belong to the certificate');
  t.equal(keyProblem('', undefined, leaf.chainPem), 'cannot be read: it must be a private key in PEM');
  t.equal(keyProblem(leaf.chainPem, undefined, leaf.chainPem), 'cannot be read: it must be a private key in PEM');
});

t.test('a key under a password is read with it', async (t) => {
  const encrypted = readFileSync(encryptedKey, 'utf8');
  t.equal(keyProblem(encrypted, 'letters', leaf.chainPem), undefined);
  t.equal(keyProblem(encrypted, 'wrong', leaf.chainPem), 'cannot be read with its password');
  t.equal(keyProblem(encrypted, undefined, leaf.chainPem), 'is encrypted, and there is no password');
});

t.test('keys that Envoy refuses are refused', async (t) => {
  const selfSigned = (...args: readonly string[]) => {
    const [key, certificate] = ['weak.key', 'weak.pem'].map((name) => join(files.directory, name));
    const newKey = ['-newkey', ...args, '-nodes', '-keyout', key!, '-out', certificate!];
    execFileSync('openssl', ['req', '-x509', ...newKey, '-subj', '/CN=weak'], { stdio: 'pipe' });
    return [readFileSync(key!, 'utf8'), undefined, readFileSync(certificate!, 'utf8')] as const;
  };
  t.equal(keyProblem(...selfSigned('rsa:1024')), 'must have at least 2048 bits');
  t.equal(keyProblem(...selfSigned('rsa:2048')), undefined);
  t.equal(keyProblem(...selfSigned('ec', '-pkeyopt', 'ec_paramgen_curve:P-384')), undefined);
  t.equal(
    keyProblem(...selfSigned('ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1')),
    'must be on P-256, P-384 or P-521',
  );
  t.equal(keyProblem(...selfSigned('ed25519')), undefined);
  const { privateKey } = generateKeyPairSync('x25519');
  t.equal(
    keyProblem(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), undefined, leaf.chainPem),
    'does not belong to the certificate',
  );
});

t.test('roots, lists and responses', async (t) => {
  for (const _ of [1, 2]) {
    t.equal(rootsProblem(root.chainPem), undefined);
    t.equal(rootsProblem('nothing'), 'has no certificate in PEM');
  }
  const list = (content: string) => `-----BEGIN X509 CRL-----\n${content}\n-----END X509 CRL-----`;
  t.equal(revocationProblem(list('MIIB')), undefined);
  t.equal(revocationProblem(list('AAAA')), 'has a revocation list that cannot be read');
  t.equal(revocationProblem(root.chainPem), 'has no revocation list in PEM');
  t.equal(ocspProblem(Uint8Array.of(0x30, 3, 10, 1, 0, 0)), undefined);
  t.equal(ocspProblem(Uint8Array.of(0x31, 3, 10, 1, 0, 0)), 'is no OCSP response in DER');
  t.equal(ocspProblem(new Uint8Array()), 'is no OCSP response in DER');
});
