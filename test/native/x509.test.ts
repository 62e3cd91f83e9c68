import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { ExtendedKeyUsage, KeyUsage, readCertificate, spiffeIdOf, spiffeIdProblem } from '../../native/x509.ts';
import { Authority, type LeafTerms } from '../support/tls-fixtures.ts';

const mesh = Authority.make(t.testdir(), 'mesh');
const ID = 'spiffe://cluster.local/ns/default/sa/reviews';
const USAGE = 'keyUsage=critical,digitalSignature';

const derOf = (pem: string) => new X509Certificate(pem).raw;
const read = (terms: LeafTerms) => readCertificate(derOf(mesh.issue(terms).certificateChain))!;

t.test('names of every kind are read in order, and validity as moments', (t) => {
  const subjectAltName = `DNS:a.test,URI:${ID},DNS:*.b.test,IP:10.0.0.1,IP:::1,email:a@b.test,URI:x://y`;
  const certificate = read({ subjectAltName, notBefore: '20250102030405Z', notAfter: '20550607080910Z' });
  t.same(certificate.uris, [ID, 'x://y']);
  t.same(certificate.dnsNames, ['a.test', '*.b.test']);
  t.same(certificate.emails, ['a@b.test']);
  t.same(certificate.ipAddresses, [Buffer.from([10, 0, 0, 1]), Buffer.from([...Array(15).fill(0), 1])]);
  t.equal(certificate.notBeforeMs, Date.UTC(2025, 0, 2, 3, 4, 5));
  t.equal(certificate.notAfterMs, Date.UTC(2055, 5, 7, 8, 9, 10), 'also behind 2050, where the form changes');
  t.equal(certificate.isAuthority, false);
  t.equal(certificate.keyUsage, undefined);
  t.end();
});

/** What a certificate has of each value, as `openssl` writes it (ASN1_generate_nconf(3)). */
const otherValues: readonly (readonly [written: string, read: string])[] = [
  ['FORMAT:UTF8,UTF8:müller@corp.test', Buffer.from('müller@corp.test').toString('latin1')],
  ['IA5:svc@corp.test', 'svc@corp.test'],
  ['PRINTABLESTRING:abc', 'abc'],
  ['FORMAT:UTF8,BMP:müller', Buffer.from('müller').toString('latin1')],
  ['FORMAT:UTF8,UNIV:müller', Buffer.from('müller').toString('latin1')],
  ['FORMAT:HEX,OCT:00ff', '\x00ÿ'],
  ['FORMAT:HEX,BITSTR:a0', '\xa0'],
  ['INTEGER:0', '0'],
  ['INTEGER:-129', '-129'],
  ['INTEGER:0x80000000000000000000', '604462909807314587353088'],
  ['ENUM:7', '7'],
  ['BOOL:TRUE', 'true'],
  ['BOOL:FALSE', 'false'],
  ['OID:1.3.6.1.4.1.311', '1.3.6.1.4.1.311'],
  ['OID:2.999.3', '2.999.3'],
  ['NULL', ''],
  ['SEQUENCE:parts', '0\x03\x0c\x01a'],
  ['UTCTIME:250102030405Z', '250102030405Z'],
];

t.test('names of other types are read with their type, whatever their value is', (t) => {
  const lines = otherValues.map(([written], index) => `otherName.${index}=1.2.3.${index};${written}`);
  const long = `otherName.99=1.2.${'9.'.repeat(200)}9;IA5:long`;
  const extensions = ['subjectAltName=@names', '[names]', ...lines, long, 'URI.1=a://b', '[parts]', 'f=UTF8:a'].join(
    '\n',
  );
  const { otherNames, uris } = read({ subjectAltName: '', extensions });
  t.same(
    otherNames,
    [...otherValues.map(([, value], index) => ({ type: `1.2.3.${index}`, value })), { type: '', value: 'long' }],
    'a type that is longer than any has none',
  );
  t.same(uris, ['a://b']);
  t.same(read({}).otherNames, []);
  t.end();
});

t.test('subject, issuer, serial and public key are those that others read', (t) => {
  const { certificateChain } = mesh.issue();
  const others = new X509Certificate(certificateChain);
  const own = readCertificate(others.raw)!;
  t.match(own.subject, /^CN=leaf\d+$/);
  t.equal(own.issuer, 'CN=mesh');
  t.equal(own.commonName, own.subject.slice(3));
  t.equal(own.serial, others.serialNumber.toLowerCase().replace(/^0+/, ''));
  t.same(own.publicKeyInfo, others.publicKey.export({ type: 'spki', format: 'der' }));
  t.end();
});

t.test('what a certificate may be used for', (t) => {
  t.equal(read({}).extendedKeyUsage, undefined);
  t.equal(read({ extensions: 'extendedKeyUsage=serverAuth' }).extendedKeyUsage, ExtendedKeyUsage.server);
  const both = read({ extensions: 'extendedKeyUsage=serverAuth,clientAuth\ntlsfeature=status_request' });
  t.equal(both.extendedKeyUsage, ExtendedKeyUsage.server | ExtendedKeyUsage.client);
  t.equal(both.mustStaple, true);
  const svid = { ...both, uris: [ID], keyUsage: KeyUsage.digitalSignature };
  t.same(spiffeIdOf(svid), { id: ID });
  t.match(spiffeIdOf({ ...svid, extendedKeyUsage: ExtendedKeyUsage.server }), /may not be used on both sides/);
  t.end();
});

t.test('a certificate without names, and one of an authority', (t) => {
  t.same(read({ subjectAltName: '' }).uris, []);
  const authority = readCertificate(derOf(mesh.certificate))!;
  t.equal(authority.isAuthority, true);
  t.equal(authority.keyUsage, KeyUsage.keyCertSign | KeyUsage.crlSign);
  t.end();
});

t.test('an SVID has exactly one URI, signs, and is no authority', (t) => {
  const svid = (terms: LeafTerms) => spiffeIdOf(read({ subjectAltName: `URI:${ID}`, extensions: USAGE, ...terms }));
  t.same(svid({}), { id: ID });
  t.same(svid({ subjectAltName: `DNS:reviews,URI:${ID}` }), { id: ID }, 'other names are allowed');
  t.match(svid({ subjectAltName: `URI:${ID},URI:${ID}x` }), /exactly one URI, and this certificate has 2/);
  t.match(svid({ subjectAltName: 'DNS:reviews' }), /has 0/);
  t.match(svid({ subjectAltName: 'URI:https://a/b' }), /begins with spiffe/);
  t.match(svid({ extensions: '' }), /may not make digital signatures/);
  t.match(svid({ extensions: 'keyUsage=critical,keyEncipherment' }), /may not make digital signatures/);
  t.match(svid({ extensions: `${USAGE},keyCertSign` }), /may sign certificates/);
  t.match(svid({ extensions: `${USAGE},cRLSign` }), /may sign certificates or revocation lists/);
  t.match(svid({ extensions: `${USAGE}\nbasicConstraints=critical,CA:TRUE` }), /authority is no identity/);
  t.end();
});

t.test('ids that are none are told apart from ids', (t) => {
  for (const id of [ID, 'spiffe://a/b', 'spiffe://a_b-c.d/E/.../f', `spiffe://${'a'.repeat(255)}/b`])
    t.equal(spiffeIdProblem(id), undefined, id);
  const wrong = [
    '',
    'SPIFFE://a/b',
    'spiffe:/a/b',
    'spiffe:///b',
    'spiffe://a',
    'spiffe://a/',
    'spiffe://A/b',
    'spiffe://a:80/b',
    'spiffe://u@a/b',
    'spiffe://a/b/',
    'spiffe://a//b',
    'spiffe://a/./b',
    'spiffe://a/..',
    'spiffe://a/b?c',
    'spiffe://a/b#c',
    'spiffe://a/%62',
    'spiffe://a/b\n',
    'spiffe://a/b\0c',
    'spiffe://a/ü',
    `spiffe://${'a'.repeat(256)}/b`,
    `spiffe://a/${'b'.repeat(2048)}`,
  ];
  for (const id of wrong) t.type(spiffeIdProblem(id), 'string', JSON.stringify(id));
  t.end();
});

t.test('damaged, cut and lengthened certificates are refused or read, and never more than that', (t) => {
  const der = derOf(mesh.issue({ subjectAltName: `URI:${ID}`, extensions: USAGE }).certificateChain);
  for (let length = 0; length < der.length; length++)
    if (readCertificate(der.subarray(0, length)) !== undefined) t.fail(`${length} bytes of it were taken`);
  t.equal(readCertificate(Buffer.concat([der, Buffer.from([0])])), undefined);
  const change = fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }));
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const damaged = Buffer.from(der);
      for (const [at, bits] of changes) damaged[at]! ^= bits;
      const certificate = readCertificate(damaged);
      if (certificate === undefined) return;
      const svid = spiffeIdOf(certificate);
      if (typeof svid !== 'string' && spiffeIdProblem(svid.id) !== undefined) throw new Error(svid.id);
    }),
    { numRuns: 2000, seed: 8 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => readCertificate(bytes) === undefined),
    { seed: 8 },
  );
  t.end();
});
