// Certificates for a test, made by openssl in a folder of the test's own.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A root that signs itself. */
export function makeRoot(directory: string, name: string): CertificateFiles {
  const files = { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  run('req', '-x509', ...newKey, '-keyout', files.key, '-out', files.certificate, '-subj', `/CN=${name}`, '-days', '2');
  return files;
}

export interface LeafOptions {
  readonly directory: string;
  readonly name: string;
  readonly root: CertificateFiles;
  /** As openssl writes them: `DNS:a,URI:spiffe://t/a,IP:127.0.0.1`. */
  readonly subjectAltName: string;
  readonly isExpired?: boolean;
}

export function makeLeaf({ directory, name, root, subjectAltName, isExpired = false }: LeafOptions): CertificateFiles {
  const files = { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  const request = join(directory, `${name}.csr`);
  const names = ['-subj', '/', '-addext', `subjectAltName=${subjectAltName}`];
  run('req', ...newKey, '-keyout', files.key, '-out', request, ...names);
  const signed = ['-CA', root.certificate, '-CAkey', root.key, '-copy_extensions', 'copy'];
  run('x509', '-req', '-in', request, ...signed, '-days', isExpired ? '-1' : '2', '-out', files.certificate);
  return files;
}

function run(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
