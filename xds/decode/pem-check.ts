// Whether certificates, keys and revocation lists are what they should be, before anything is to use them: a control plane
// is told at once, and what served before goes on. Sentences name what is wrong and hold nothing of what was read.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/** Why a certificate cannot be shown with its key; undefined when it can. One that has expired can, as in Envoy. */
export function chainProblem(certificateChain: string): string | undefined {
  const certificates = readCertificates(certificateChain);
  return typeof certificates === 'string' ? certificates : undefined;
}

/** Of a private key, and whether it belongs to the first certificate of a chain without a problem. */
export function keyProblem(
  privateKey: string,
  password: string | undefined,
  certificateChain: string,
): string | undefined {
  const key = readKey(privateKey, password);
  if (typeof key === 'string') return key;
  const [own] = readCertificates(certificateChain) as readonly X509Certificate[];
  return own!.checkPrivateKey(key) ? sizeProblem(key) : 'does not belong to the certificate';
}

/** Of certificates that are trusted. The same are read thousands of times when every cluster of a mesh names them. */
export function rootsProblem(pem: string): string | undefined {
  if (knownRoots.has(pem)) return undefined;
  const certificates = readCertificates(pem);
  if (typeof certificates === 'string') return certificates;
  if (knownRoots.size === maxKnownRoots) knownRoots.clear();
  knownRoots.add(pem);
  return undefined;
}

/** Only the form is looked at: Node does not read revocation lists. */
export function revocationProblem(pem: string): string | undefined {
  const blocks = blocksOf(pem, 'X509 CRL');
  if (blocks.length === 0) return 'has no revocation list in PEM';
  return blocks.every((block) => derStart.test(block)) ? undefined : 'has a revocation list that cannot be read';
}

/** Of a stapled response: an OCSPResponse in DER (RFC 6960). */
export function ocspProblem(der: Uint8Array): string | undefined {
  return der[0] === 0x30 && der.length > 5 ? undefined : 'is no OCSP response in DER';
}

const maxKnownRoots = 32;
const knownRoots = new Set<string>();

/** A SEQUENCE in DER, in base64. */
const derStart = /^\s*MI/;

function readCertificates(pem: string): readonly X509Certificate[] | string {
  const blocks = blocksOf(pem, '(?:X509 |TRUSTED )?CERTIFICATE');
  if (blocks.length === 0) return 'has no certificate in PEM';
  const certificates: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(Buffer.from(block, 'base64')));
    } catch {
      return `certificate ${index + 1} of ${blocks.length} cannot be read`;
    }
  }
  return certificates;
}

/** What is between the lines of each block. */
function blocksOf(pem: string, label: string): readonly string[] {
  const block = new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, 'g');
  return [...pem.matchAll(block)].map(([, content]) => content!);
}

function readKey(pem: string, password: string | undefined): KeyObject | string {
  try {
    return createPrivateKey({ key: pem, ...(password !== undefined && { passphrase: password }) });
  } catch {
    if (password !== undefined) return 'cannot be read with its password';
    // As PKCS #8 has it, and the older form of OpenSSL (RFC 1421).
    if (/ENCRYPTED/.test(pem)) return 'is encrypted, and there is no password';
    return 'cannot be read: it must be a private key in PEM';
  }
}

const minRsaBits = 2048;
const curves: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** As in Envoy. */
function sizeProblem({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject): string | undefined {
  switch (type) {
    case 'rsa':
    case 'rsa-pss':
      return (details?.modulusLength ?? 0) < minRsaBits ? `must have at least ${minRsaBits} bits` : undefined;
    case 'ec':
      return curves.has(details?.namedCurve) ? undefined : 'must be on P-256, P-384 or P-521';
    case 'ed25519':
      return undefined;
    default:
      return `is of a kind that TLS has no use for here: ${type ?? 'unknown'}`;
  }
}
