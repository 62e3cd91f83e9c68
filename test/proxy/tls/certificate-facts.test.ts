import t from 'tap';
import { readCertificateDers } from '../../../native/tls-pem.ts';
import { certificateOf } from '../../../proxy/tls/certificate-facts.ts';
import { onlyItems } from '../../support/only-items.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');

function derOf(names: readonly string[]): Buffer {
  const ders = readCertificateDers(mesh.issue({ subjectAltName: names.join(',') }).certificateChain);
  if (typeof ders === 'string') throw new Error(ders);
  return ders[0]!;
}

t.test('a certificate that comes again is not read again', (t) => {
  const der = derOf(['URI:spiffe://t/ns/a/sa/web', 'IP:10.0.0.1']);
  const read = certificateOf(der)!;
  t.match(read.facts, { uris: onlyItems('spiffe://t/ns/a/sa/web'), ipAddresses: onlyItems('10.0.0.1') });
  t.equal(certificateOf(Buffer.from(der)), read);
  t.equal(certificateOf(Buffer.from('no certificate')), undefined);
  t.end();
});

t.test('one that is full of names is read, and not kept', (t) => {
  const der = derOf(Array.from({ length: 600 }, (_, index) => `DNS:a-rather-long-name-${index}`));
  const read = certificateOf(der)!;
  t.equal(read.facts.dnsNames.length, 600);
  t.not(certificateOf(der), read);
  t.end();
});
