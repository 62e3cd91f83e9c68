import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

// Buffers of this process are garbage, and no leak.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

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

t.test('what is read and freed, and what was read before something is refused, leaves no memory', (t) => {
  const good = leaf.certificateChain + mesh.certificate;
  const bad = good + leaf.certificateChain.replace('MII', 'MIX');
  const lists = mesh.revokeLast(0);
  const rounds = (count: number) => {
    for (let round = 0; round < count; round++) {
      freeCertificates(readCertificates(good) as number[]);
      readCertificates(bad);
      freeRevocationLists(readRevocationLists(lists) as number[]);
      readRevocationLists(`${lists}-----BEGIN X509 CRL-----\nMIX\n-----END X509 CRL-----\n`);
      freePrivateKey(readPrivateKey(leaf.privateKey, undefined) as number);
    }
  };
  // As much garbage as there will be.
  rounds(2000);
  const before = residentBytes();
  rounds(5000);
  // A certificate, or another, of each round would be 10 MiB at the least; what the allocator keeps has been 3.1.
  t.ok(residentBytes() - before < 6 * 1024 * 1024, `${residentBytes() - before} bytes more`);
  t.end();
});

function residentBytes(): number {
  collectGarbage();
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]) * 1024;
}
