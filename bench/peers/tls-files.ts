// Certificates of the TLS suite, in PEM files: ECDSA P-256 as in a mesh, each side with a SPIFFE id.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

export type TlsIdentityFiles = { readonly certificate: string; readonly key: string };

export type TlsFiles = {
  readonly roots: string;
  readonly server: TlsIdentityFiles;
  readonly client: TlsIdentityFiles;
};

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

// Throws when openssl is not there.
export function makeTlsFiles(directory: string): TlsFiles {
  mkdirSync(directory, { recursive: true });
  const authority = pathsOf(directory, 'roots');
  const subject = ['-subj', '/CN=bench', '-days', '2'];
  openssl('req', '-x509', ...NEW_KEY, ...subject, '-keyout', authority.key, '-out', authority.certificate);
  return {
    roots: authority.certificate,
    server: issue(directory, 'server', authority),
    client: issue(directory, 'client', authority),
  };
}

function issue(directory: string, name: string, authority: TlsIdentityFiles): TlsIdentityFiles {
  const files = pathsOf(directory, name);
  const request = join(directory, `${name}.csr`);
  const names = ['-addext', `subjectAltName=URI:${spiffeId(name)},DNS:${name}.bench`];
  openssl('req', ...NEW_KEY, '-subj', '/', ...names, '-keyout', files.key, '-out', request);
  const signed = ['-CA', authority.certificate, '-CAkey', authority.key, '-copy_extensions', 'copy', '-days', '2'];
  openssl('x509', '-req', '-in', request, ...signed, '-out', files.certificate);
  return files;
}

export function spiffeId(name: string): string {
  return `spiffe://bench/ns/default/sa/${name}`;
}

function pathsOf(directory: string, name: string): TlsIdentityFiles {
  return { certificate: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
