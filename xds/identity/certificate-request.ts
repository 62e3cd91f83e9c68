// A key of our own and the request to certify it (PKCS #10, RFC 2986). The key never leaves this process.
//
// The request names a SPIFFE ID as Istio's agents do: a critical subject alternative name and no subject. Istio's CA goes
// by who the caller is and not by this name; others compare both.

import { generateKeyPair, type KeyObject, sign } from 'node:crypto';
import { promisify } from 'node:util';
import { pemOf } from '../../config/pem.ts';
import { DerTag, derBitString, derElement, derObjectIdentifier, derSequence } from './der.ts';

export type KeyKind = 'ecdsa-p256' | 'rsa-2048';

export interface CertificateRequest {
  /** PEM, PKCS #8. */
  readonly privateKey: string;
  /** PEM. */
  readonly request: string;
}

const generate = promisify(generateKeyPair);

/** Makes a key off this thread, which takes up to a second for RSA. `uri` is the name to be certified. */
export async function makeCertificateRequest(uri: string, keyKind: KeyKind): Promise<CertificateRequest> {
  const { privateKey, publicKey } = await generateKey(keyKind);
  const information = requestInformation(uri, publicKey.export({ type: 'spki', format: 'der' }));
  const signature = sign('sha256', information, privateKey);
  const request = derSequence(information, signatureAlgorithms[keyKind], derBitString(signature));
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    request: pemOf('CERTIFICATE REQUEST', request),
  };
}

function generateKey(kind: KeyKind): Promise<{ readonly privateKey: KeyObject; readonly publicKey: KeyObject }> {
  return kind === 'ecdsa-p256'
    ? generate('ec', { namedCurve: 'prime256v1' })
    : generate('rsa', { modulusLength: 2048, publicExponent: 65537 });
}

function requestInformation(uri: string, publicKey: Uint8Array): Buffer {
  const version = derElement(DerTag.integer, Buffer.from([0]));
  const subject = derSequence();
  return derSequence(version, subject, publicKey, derElement(ATTRIBUTES, extensionRequest(uri)));
}

/** RFC 2985 section 5.4.2. The name is critical because the subject is empty (RFC 5280 section 4.2.1.6). */
function extensionRequest(uri: string): Buffer {
  const names = derSequence(derElement(URI_NAME, Buffer.from(uri, 'latin1')));
  const extension = derSequence(
    derObjectIdentifier('2.5.29.17'),
    derElement(DerTag.boolean, Buffer.from([0xff])),
    derElement(DerTag.octetString, names),
  );
  return derSequence(derObjectIdentifier('1.2.840.113549.1.9.14'), derElement(DerTag.set, derSequence(extension)));
}

const ATTRIBUTES = 0xa0; // [0] IMPLICIT, constructed
const URI_NAME = 0x86; // [6] IMPLICIT IA5String

/** With SHA-256; RSA's has a NULL for parameters, ECDSA's has none (RFC 4055, RFC 5758). */
const signatureAlgorithms: Readonly<Record<KeyKind, Buffer>> = {
  'ecdsa-p256': derSequence(derObjectIdentifier('1.2.840.10045.4.3.2')),
  'rsa-2048': derSequence(derObjectIdentifier('1.2.840.113549.1.1.11'), derElement(DerTag.null)),
};
