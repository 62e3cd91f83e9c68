// Who this proxy is: a certificate, its key, and the roots by which it judges others. Never logged, cached or shown.

export interface Identity {
  /** PEM, the own certificate first, without the root. */
  readonly certificateChain: string;
  /** PEM. */
  readonly privateKey: string;
  /** PEM. */
  readonly roots: string;
  readonly notAfterMs: number;
}

/** Where identities come from. */
export interface IdentitySource {
  /** For people: `Istio's CA at istiod.istio-system.svc:15012`. */
  readonly name: string;
  /** Asks once. Rejects with a sentence that holds no key and no token. */
  request(): Promise<Identity>;
}

/** The identity of now, and of later. */
export interface OwnIdentity {
  readonly current: Identity | undefined;
  /** Calls back with each new one, until what it returns is called. */
  subscribe(onIdentity: (identity: Identity) => void): () => void;
}

/** One that is kept fresh by somebody. */
export interface RunningIdentity extends OwnIdentity {
  /** Once. */
  start(): void;
  stop(): void;
}

/** The identity of now, and who is told of the next. */
export class HeldIdentity implements OwnIdentity {
  #current: Identity | undefined;
  readonly #users = new Set<(identity: Identity) => void>();

  get current(): Identity | undefined {
    return this.#current;
  }

  subscribe(onIdentity: (identity: Identity) => void): () => void {
    this.#users.add(onIdentity);
    return () => this.#users.delete(onIdentity);
  }

  hold(identity: Identity): void {
    this.#current = identity;
    for (const onIdentity of this.#users) onIdentity(identity);
  }
}
