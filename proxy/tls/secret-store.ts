// The secrets that are in use, by their key in the snapshot. One that cannot be used changes nothing: the one before it
// stays, as with any other resource that is refused, and the problem is kept to be told.

import { createHash, type Hash } from 'node:crypto';
import type { Secret, ValidationContext } from '../../config/secret.ts';
import type { MapDelta } from '../../config/snapshot.ts';
import { freeIdentity, loadIdentity } from '../../native/tls-identity.ts';
import { TICKET_KEY_BYTES } from '../../native/tls-tickets.ts';
import { trustProblem } from '../../native/tls-trust.ts';
import { trustOf } from './trust.ts';

interface Entry {
  /** The last that can be used; null when there was none. */
  readonly secret: Secret | null;
  /** Why the last that came cannot be used; empty when it can. */
  readonly problem: string;
  /** Of `secret`; empty before somebody asks. */
  digest: string;
}

export class SecretStore {
  readonly #entries = new Map<string, Entry>();

  /** Returns the keys of what is different now. */
  apply({ set, removed }: MapDelta<Secret>): readonly string[] {
    const changed: string[] = [];
    for (const key of removed) if (this.#entries.delete(key)) changed.push(key);
    for (const [key, secret] of set) {
      const problem = secretProblem(secret) ?? '';
      const before = this.#entries.get(key)?.secret ?? null;
      this.#entries.set(key, { secret: problem === '' ? secret : before, problem, digest: '' });
      if (problem === '') changed.push(key);
    }
    return changed;
  }

  get(key: string): Secret | undefined {
    return this.#entries.get(key)?.secret ?? undefined;
  }

  /** Why the last that came under this key cannot be used, as a sentence without key material. */
  problem(key: string): string | undefined {
    return this.#entries.get(key)?.problem || undefined;
  }

  keys(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Tells what is in the secret from what is in others, and nothing of it; empty for none. */
  digest(key: string): string {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.secret === null) return '';
    if (entry.digest === '') entry.digest = digestOf(entry.secret);
    return entry.digest;
  }
}

/** Why a secret cannot be used, as a sentence without key material. */
export function secretProblem(secret: Secret): string | undefined {
  switch (secret.kind) {
    case 'certificate': {
      const loaded = loadIdentity(secret);
      if (typeof loaded === 'string') return loaded;
      freeIdentity(loaded);
      return undefined;
    }
    case 'validation-context':
      return validationProblem(secret);
    case 'session-ticket-keys':
      if (secret.keys.length === 0) return 'there is no key of tickets in it';
      return secret.keys.every(({ length }) => length === TICKET_KEY_BYTES)
        ? undefined
        : `keys of tickets are ${TICKET_KEY_BYTES} bytes`;
    case 'generic':
      return undefined;
  }
}

/** Of the parts of a validation context from which native trust is made. */
export function digestOfTrust(validation: ValidationContext): string {
  return hashed((digest) => updateTrust(digest, validation));
}

function validationProblem(validation: ValidationContext): string | undefined {
  const trust = trustOf(validation);
  if (typeof trust === 'string') return trust;
  return trust && trustProblem(trust);
}

function digestOf(secret: Secret): string {
  return hashed((digest) => {
    digest.update(secret.kind);
    switch (secret.kind) {
      case 'certificate':
        updateText(digest, secret.certificateChain, secret.privateKey, secret.password ?? '');
        digest.update(secret.ocspStaple ?? '');
        break;
      case 'validation-context':
        updateTrust(digest, secret);
        break;
      case 'session-ticket-keys':
        for (const key of secret.keys) digest.update(key);
        break;
      case 'generic':
        digest.update(secret.value);
    }
  });
}

function updateTrust(digest: Hash, validation: ValidationContext): void {
  const { roots, revocationLists = '', trustDomains = [] } = validation;
  updateText(digest, roots?.kind ?? '', roots?.kind === 'pem' ? roots.pem : '', revocationLists);
  for (const { name, roots } of trustDomains) updateText(digest, name, roots);
  const { onlyVerifiesLeafRevocation, allowsExpired, acceptsUntrusted, maxVerifyDepth } = validation;
  updateText(digest, `${onlyVerifiesLeafRevocation} ${allowsExpired} ${acceptsUntrusted} ${maxVerifyDepth}`);
}

/** Each behind its length, so that no two lists are the same bytes. */
function updateText(digest: Hash, ...texts: readonly string[]): void {
  for (const text of texts) digest.update(`${text.length}:`).update(text);
}

function hashed(update: (digest: Hash) => void): string {
  const digest = createHash('sha256');
  update(digest);
  return digest.digest('base64');
}
