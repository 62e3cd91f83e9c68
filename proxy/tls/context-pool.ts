// Native contexts, one for all whose configuration and secrets come to the same: 10,000 clusters of a mesh have one
// certificate and one set of roots. A context that nobody holds any more is let go of; its connections keep it alive.

import { TlsContext, type TlsContextOptions } from '../../native/tls-context.ts';

interface Entry {
  readonly context: TlsContext | string;
  users: number;
}

export class ContextPool {
  readonly #entries = new Map<string, Entry>();

  /** The context under `key`, made when there is none; or why it cannot be. Each is given back once. */
  take(key: string, options: () => TlsContextOptions): TlsContext | string {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { context: TlsContext.create(options()), users: 0 };
      this.#entries.set(key, entry);
    }
    entry.users += 1;
    return entry.context;
  }

  giveBack(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) throw new Error('a TLS context was given back twice');
    entry.users -= 1;
    if (entry.users > 0) return;
    this.#entries.delete(key);
    if (typeof entry.context !== 'string') entry.context.close();
  }

  get size(): number {
    return this.#entries.size;
  }
}
