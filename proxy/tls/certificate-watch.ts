// The certificates that are in use, as the main thread sees them: how long each has, and what has gone wrong with the secret
// that it came in. A certificate that nobody has replaced by the last tenth of its life is told of; one that has expired ends
// readiness, since nobody who verifies would talk to this proxy. The tenth is of what was left when it came: CAs date back by
// minutes, and to a certificate that lives for minutes that is most of its life.

import type { Secret } from '../../config/secret.ts';
import { type OcspValidity, ocspValidity } from '../../native/tls-identity.ts';
import { readCertificateDers } from '../../native/tls-pem.ts';
import { certificateOf, type ReadCertificate } from './certificate-facts.ts';
import { SecretStore } from './secret-store.ts';

type Facts = ReadCertificate['facts'];

/** What is in one secret. */
export interface WatchedSecret {
  /** Or where it stands, of one that is written in place. */
  readonly name: string;
  /** The own certificate, then what is sent with it; empty for a secret that only says whom to trust. */
  readonly chain: readonly Facts[];
  /** Those that are trusted. The system's are not listed. */
  readonly roots: readonly Facts[];
  readonly ocsp: OcspValidity | undefined;
  /** Why the last that came cannot be used, as a sentence; what is here is the one before it. */
  readonly lastError: string | undefined;
}

/** Of an own certificate. */
export interface LifeProblem {
  /** Of the secret. */
  readonly name: string;
  readonly isExpired: boolean;
  /** A sentence. */
  readonly words: string;
}

export class CertificateWatch {
  readonly #wallClock: () => number;
  readonly #store = new SecretStore();
  #followed: ReadonlyMap<string, Secret> = new Map();
  /** By key. */
  readonly #read = new Map<string, Read>();
  /** SHA-256 of what was told of already: whether as expired. */
  readonly #told = new Map<string, boolean>();

  /** `wallClock` has milliseconds since 1970. */
  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
  }

  /** The secrets that are served from now on. `places` has those without a name, by key. */
  follow(secrets: ReadonlyMap<string, Secret>, places: () => ReadonlyMap<string, string>): void {
    if (secrets === this.#followed) return;
    const set = [...secrets].filter(([key, secret]) => this.#followed.get(key) !== secret);
    const removed = [...this.#followed.keys()].filter((key) => !secrets.has(key));
    this.#followed = secrets;
    this.#store.apply({ set, removed });
    for (const key of removed) this.#read.delete(key);
    const named = set.some(([, { name }]) => name === '') ? places() : undefined;
    for (const [key, { name }] of set) this.#read.set(key, this.#readSecret(key, named?.get(key) ?? name));
  }

  secrets(): readonly WatchedSecret[] {
    return [...this.#followed.keys()].map((key) => this.#read.get(key)!);
  }

  /** Of all certificates, own and trusted, in whole days, 0 when one has expired; undefined when there are none. */
  get daysUntilFirstExpiring(): number | undefined {
    const all = this.secrets().flatMap(({ chain, roots }) => [...chain, ...roots]);
    return all.length === 0
      ? undefined
      : daysUntil(Math.min(...all.map(({ notAfterMs }) => notAfterMs)), this.#wallClock());
  }

  /** Own certificates that have expired or are in the last tenth of their life; expired ones first. */
  problems(): readonly LifeProblem[] {
    const problems = [...this.#read.values()].flatMap((secret) => this.#problemOf(secret) ?? []);
    return problems.sort((left, right) => Number(right.isExpired) - Number(left.isExpired));
  }

  /** Those of `problems` that are new since the last time. */
  takeNewProblems(): readonly LifeProblem[] {
    const own = [...this.#read.values()].flatMap((secret) =>
      secret.chain[0] === undefined ? [] : [{ secret, leaf: secret.chain[0] }],
    );
    const present = new Set(own.map(({ leaf }) => leaf.sha256));
    for (const sha256 of this.#told.keys()) if (!present.has(sha256)) this.#told.delete(sha256);
    return own.flatMap(({ secret, leaf }) => {
      const problem = this.#problemOf(secret);
      if (problem === undefined || this.#told.get(leaf.sha256) === problem.isExpired) return [];
      this.#told.set(leaf.sha256, problem.isExpired);
      return [problem];
    });
  }

  #problemOf({ name, chain, cameAtMs, lastError }: Read): LifeProblem | undefined {
    const [leaf] = chain;
    if (leaf === undefined) return undefined;
    const { notBeforeMs, notAfterMs } = leaf;
    const remainingMs = notAfterMs - this.#wallClock();
    if (remainingMs >= (notAfterMs - Math.max(notBeforeMs, cameAtMs)) / LAST_PART) return undefined;
    const isExpired = remainingMs < 0;
    const when = new Date(notAfterMs).toISOString().replace('.000', '');
    const what = isExpired ? `expired at ${when}` : `expires at ${when}, in the last tenth of its life`;
    const why = lastError === undefined ? '' : `, and what came in its place cannot be used: ${lastError}`;
    return { name, isExpired, words: `the certificate ${name} ${what}, and was not replaced${why}` };
  }

  #readSecret(key: string, name: string): Read {
    const before = this.#read.get(key);
    const contents = contentsOf(this.#store.get(key));
    const isKnown = before !== undefined && before.chain[0]?.sha256 === contents.chain[0]?.sha256;
    const cameAtMs = isKnown ? before.cameAtMs : this.#wallClock();
    return { name, ...contents, cameAtMs, lastError: this.#store.problem(key) };
  }
}

interface Read extends WatchedSecret {
  /** The own certificate. Milliseconds since 1970. */
  readonly cameAtMs: number;
}

/** Whole days; 0 for what is over. */
export function daysUntil(momentMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((momentMs - nowMs) / 86_400_000));
}

function contentsOf(secret: Secret | undefined): Pick<WatchedSecret, 'chain' | 'roots' | 'ocsp'> {
  const nothing = { chain: [], roots: [], ocsp: undefined };
  if (secret?.kind === 'certificate') {
    const ocsp = secret.ocspStaple && ocspValidity(secret.ocspStaple);
    return { ...nothing, chain: factsOf(secret.certificateChain), ocsp };
  }
  if (secret?.kind !== 'validation-context') return nothing;
  const { roots, trustDomains = [] } = secret;
  const texts = [...(roots?.kind === 'pem' ? [roots.pem] : []), ...trustDomains.map((domain) => domain.roots)];
  return { ...nothing, roots: texts.flatMap(factsOf) };
}

function factsOf(pem: string): readonly Facts[] {
  const ders = readCertificateDers(pem);
  return typeof ders === 'string' ? [] : ders.flatMap((der) => certificateOf(der)?.facts ?? []);
}

const LAST_PART = 10;
