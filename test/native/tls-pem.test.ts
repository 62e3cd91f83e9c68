import { X509Certificate } from 'node:crypto';
import t from 'tap';
import { opensslProblem } from '../../native/openssl.ts';
import {
  derOf,
  freeCertificates,
  freePrivateKey,
  freeRevocationLists,
  readCertificates,
  readPrivateKey,
  readRevocationLists,
} from '../../native/tls-pem.ts';
import { Authority } from '../support/tls-fixtures.ts';

t.equal(opensslProblem(), undefined);
const mesh = Authority.make(t.testdir(), 'mesh');
const leaf = mesh.issue();

t.test('certificates are read in the order of the text, and are what they were', (t) => {
  const found = readCertificates(leaf.certificateChain + mesh.certificate);
  if (typeof found === 'string') throw new Error(found);
  t.same(
    found.map((certificate) => derOf(certificate)),
    [leaf.certificateChain, mesh.certificate].map((pem) => new X509Certificate(pem).raw),
  );
  freeCertificates(found);
  t.end();
});

t.test('one bad certificate among good ones refuses them all, by its number', (t) => {
  const damaged = leaf.certificateChain.replace('MII', 'MIX');
  t.match(readCertificates(mesh.certificate + damaged + mesh.certificate), /^certificate 2 cannot be read: /);
  t.end();
});

t.test('lists are lists, keys are keys, and neither is the other', (t) => {
  const lists = readRevocationLists(mesh.revokeLast(0));
  const key = readPrivateKey(leaf.privateKey, undefined);
  if (typeof lists === 'string' || typeof key === 'string') throw new Error(`${lists} ${key}`);
  t.equal(lists.length, 1);
  freeRevocationLists(lists);
  freePrivateKey(key);
  t.equal(readRevocationLists(leaf.privateKey), 'there is no revocation list in it');
  t.match(readPrivateKey(leaf.certificateChain, undefined), /^the private key cannot be read: /);
  t.end();
});

t.test("the caller's bytes stay as they are", (t) => {
  const pem = Buffer.from(leaf.privateKey);
  freePrivateKey(readPrivateKey(pem, undefined) as number);
  t.equal(pem.toString(), leaf.privateKey);
  t.end();
});
