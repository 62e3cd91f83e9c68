// Checks of what others hand us as our certificate, before it is used: who answers with the wrong one, or with half of a
// rotation, is told by name, and what was held before goes on.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

/**
 * When the certificate ends. Throws an Error with a sentence, without key material, when the first certificate of the PEM
 * `chain` cannot be read or is for another key than `privateKey`. `whose` begins the sentence.
 */
export function endOfCertificate(chain: string, privateKey: string, whose: string): number {
  const certificate = readCertificate(chain, whose);
  if (!certificate.checkPrivateKey(readKey(privateKey, whose)))
    throw new Error(`${whose} has a certificate for another key`);
  return Date.parse(certificate.validTo);
}

function readCertificate(pem: string, whose: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error(`${whose} has a certificate that cannot be read`);
  }
}

function readKey(pem: string, whose: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error(`${whose} has a key that cannot be read`);
  }
}
