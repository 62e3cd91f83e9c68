import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { pemOf } from '../../config/pem.ts';
import { Authority } from '../support/tls-fixtures.ts';

t.test('a certificate is written as OpenSSL writes it', (t) => {
  const { certificate } = Authority.make(t.testdir(), 'pem');
  t.equal(pemOf('CERTIFICATE', new X509Certificate(certificate).raw).trim(), certificate.trim());
  t.end();
});

t.test('every line but the last has 64 characters, and all together are the bytes', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (der) => {
      const lines = pemOf('X', der).split('\n');
      if (lines[0] !== '-----BEGIN X-----' || lines.at(-2) !== '-----END X-----' || lines.at(-1) !== '') return false;
      const body = lines.slice(1, -2);
      const isFull = body.slice(0, -1).every(({ length }) => length === 64) && (body.at(-1)?.length ?? 1) > 0;
      return isFull && Buffer.from(body.join(''), 'base64').equals(der);
    }),
  );
  t.end();
});
