// What everybody has in common who makes TLS connections in one worker.

import type { ValidationContext } from '../../config/secret.ts';
import type { ContextPool } from './context-pool.ts';
import type { SecretStore } from './secret-store.ts';

export interface TlsScope {
  readonly secrets: SecretStore;
  readonly pool: ContextPool;
  /** Milliseconds since 1970. */
  readonly wallClock: () => number;
  /** For tickets without keys of a secret. */
  readonly ownTicketKeys: () => readonly Uint8Array[];
  readonly digestOfTrust: (validation: ValidationContext) => string;
  /** No word of changed secrets any more. */
  readonly forget: (user: SecretUser) => void;
}

/** Is told when secrets change that it uses. */
export interface SecretUser {
  uses(keys: ReadonlySet<string>): boolean;
  onSecretsChanged(): void;
}
