// TLS of a static cluster for calls of our own, or of the environment, told as that of any cluster: its files are read here, at
// each connection, so that certificates rotate.

import { readFileSync } from 'node:fs';
import type { GrpcTls, SecretText } from '../../config/config-source.ts';
import type { Secret, SubjectAltNameMatcher, ValidationContext } from '../../config/secret.ts';
import type { SecretReference, UpstreamTls } from '../../config/tls.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { Secrets } from '../tls/resolved-tls.ts';

export interface CallTls {
  readonly config: UpstreamTls;
  readonly secrets: Secrets;
  readonly hostname: string;
}

/** `host` is the name of the endpoint. Throws an error with a sentence when a secret cannot be read. */
export function readCallTls({ config: tls, host }: { readonly config: GrpcTls; readonly host: string }): CallTls {
  const certificate = certificateOf(tls);
  const config: UpstreamTls = {
    parameters: { minVersion: '1.2', maxVersion: '1.3', cipherSuites: [], groups: [], signatureAlgorithms: [] },
    certificates: certificate === undefined ? [] : [ownCertificate],
    validation: { own: validationOf(tls) },
    alpnProtocols: [],
    sni: tls.sni ?? host,
    autoSni: false,
    autoHostSni: false,
    // A peer is verified always: by the name that is asked for when no other is demanded.
    autoSanValidation: tls.subjectAltNames.length === 0,
    maxSessionKeys: 0,
  };
  const get = (key: string): Secret | undefined => (key === ownCertificate.key ? certificate : undefined);
  return { config, secrets: { get, problem: () => undefined }, hostname: '' };
}

const ownCertificate: SecretReference = { key: 'own', name: 'certificate', source: { kind: 'static' } };

function certificateOf({ certificateChain, privateKey }: GrpcTls): Secret | undefined {
  if (certificateChain === undefined || privateKey === undefined) return undefined;
  return {
    kind: 'certificate',
    name: ownCertificate.name,
    certificateChain: readSecret(certificateChain, 'the certificate chain'),
    privateKey: readSecret(privateKey, 'the private key'),
  };
}

function validationOf({ roots, subjectAltNames }: GrpcTls): ValidationContext {
  const names = subjectAltNames.map(
    ({ type, value }): SubjectAltNameMatcher => ({ type, matcher: { kind: 'exact', value, ignoreCase: false } }),
  );
  return {
    roots:
      roots === undefined ? { kind: 'system' } : { kind: 'pem', pem: readSecret(roots, 'the trusted certificates') },
    subjectAltNames: names,
    spkiHashes: [],
    certificateHashes: [],
  };
}

function readSecret(secret: SecretText, what: string): string {
  switch (secret.kind) {
    case 'inline':
      return secret.text;
    case 'environment': {
      const text = process.env[secret.variable];
      if (text === undefined) throw new Error(`${what}: the environment variable ${secret.variable} is not set`);
      return text;
    }
    case 'file':
      try {
        return readFileSync(secret.path, 'utf8');
      } catch (error) {
        throw new Error(`${what} in ${secret.path} ${cannotBeRead(secret.path, error)}`);
      }
  }
}
