// From where the parts of a secret are to the secret: what is in them is read and checked. A secret is taken whole or not at
// all. Problems say what is wrong, and nothing of what was read.

import type { Problems } from '../../config/problems.ts';
import type { Secret, ValidationContext } from '../../config/secret.ts';
import { validationProblem } from '../../config/validation-merge.ts';
import type { SecretPart, WrittenCertificate, WrittenSecret, WrittenValidation } from '../../config/written-secret.ts';
import { given } from './given.ts';
import { chainProblem, keyProblem, ocspProblem, revocationProblem, rootsProblem } from './pem-check.ts';
import { readSecretPart } from './secret-part.ts';

/** Undefined only with problems. Paths begin in the message of the secret's kind. */
export function loadSecret(written: WrittenSecret, problems: Problems): Secret | undefined {
  const { name } = written;
  switch (written.kind) {
    case 'certificate': {
      const certificate = loadCertificate(written, problems);
      return certificate && { kind: 'certificate', name, ...certificate };
    }
    case 'validation-context': {
      const context = loadValidation(written, problems);
      const problem = context && validationProblem(context);
      if (problem !== undefined) problems.add(problem);
      return context && { kind: 'validation-context', name, ...context };
    }
    case 'session-ticket-keys':
      return loadTicketKeys(name, written.keys, problems.at('keys'));
    case 'generic': {
      const value = readSecretPart(written.value, problems.at('secret'));
      return value && { kind: 'generic', name, value };
    }
  }
}

/** Undefined only with problems. It may be a part of one, which on its own could not be used. */
export function loadValidation(written: WrittenValidation, problems: Problems): ValidationContext | undefined {
  const { roots: where, revocationLists: lists, trustDomains: domains } = written;
  const before = problems.list.length;
  const roots = where?.kind === 'pem' ? loadRoots(where.pem, problems.at('trusted_ca')) : where;
  const revocationLists = lists && readText(lists, problems.at('crl'));
  const ofLists = revocationLists === undefined ? undefined : revocationProblem(revocationLists);
  if (ofLists !== undefined) problems.at('crl').add(ofLists);
  const trustDomains = domains && loadTrustDomains(domains, problems.at('custom_validator_config'));
  if (problems.list.length > before) return undefined;
  return {
    ...written.rules,
    ...given('roots', roots),
    ...given('revocationLists', revocationLists),
    ...given('trustDomains', trustDomains),
  };
}

function loadCertificate(
  { certificateChain: chain, privateKey: key, password: secret, ocspStaple: staple }: WrittenCertificate,
  problems: Problems,
) {
  const before = problems.list.length;
  const certificateChain = readText(chain, problems.at('certificate_chain'));
  const privateKey = readText(key, problems.at('private_key'));
  const password = secret && readText(secret, problems.at('password'));
  const ocspStaple = staple && readSecretPart(staple, problems.at('ocsp_staple'));
  if (certificateChain === undefined || privateKey === undefined || problems.list.length > before) return undefined;
  const ofChain = chainProblem(certificateChain);
  if (ofChain !== undefined) problems.at('certificate_chain').add(ofChain);
  const ofKey = ofChain === undefined ? keyProblem(privateKey, password, certificateChain) : undefined;
  if (ofKey !== undefined) problems.at('private_key').add(ofKey);
  const ofStaple = ocspStaple && ocspProblem(ocspStaple);
  if (ofStaple !== undefined) problems.at('ocsp_staple').add(ofStaple);
  if (problems.list.length > before) return undefined;
  return { certificateChain, privateKey, ...given('password', password), ...given('ocspStaple', ocspStaple) };
}

function loadRoots(part: SecretPart, problems: Problems): ValidationContext['roots'] {
  const pem = readText(part, problems);
  const problem = pem === undefined ? undefined : rootsProblem(pem);
  if (problem !== undefined) problems.add(problem);
  return pem === undefined ? undefined : { kind: 'pem', pem };
}

function loadTrustDomains(
  domains: NonNullable<WrittenValidation['trustDomains']>,
  problems: Problems,
): ValidationContext['trustDomains'] {
  const place = problems.at('typed_config').at('trust_domains');
  const loaded: { readonly name: string; readonly roots: string }[] = [];
  for (const [index, { name, roots: part }] of domains.entries()) {
    const roots = loadRoots(part, place.item(index).at('trust_bundle'));
    if (roots?.kind === 'pem') loaded.push({ name, roots: roots.pem });
  }
  return loaded;
}

/** As `openssl rand 80` makes them. */
const ticketKeyBytes = 80;

function loadTicketKeys(name: string, parts: readonly SecretPart[], problems: Problems): Secret | undefined {
  const before = problems.list.length;
  const keys: Uint8Array[] = [];
  for (const [index, part] of parts.entries()) {
    const key = readSecretPart(part, problems.item(index));
    if (key !== undefined && key.length !== ticketKeyBytes) {
      problems.item(index).add(`must have ${ticketKeyBytes} bytes, has ${key.length}`);
    }
    if (key !== undefined) keys.push(key);
  }
  return problems.list.length === before ? { kind: 'session-ticket-keys', name, keys } : undefined;
}

function readText(part: SecretPart, problems: Problems): string | undefined {
  const bytes = readSecretPart(part, problems);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString();
}
