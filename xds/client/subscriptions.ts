// What is subscribed to of one type from one source, and what of it the control plane was not yet told. It outlives
// streams: a new one is told everything.

import { wildcard } from './discovery.ts';

export interface SubscriptionChanges {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /**
   * Let go and wanted again before the control plane was told of either. It must hear both, one after the other: whoever
   * let go may have forgotten the resource, and only a new subscription has it sent again.
   */
  readonly again: readonly string[];
}

export class Subscriptions {
  readonly #wanted = new Set<string>();
  readonly #changed = new Map<string, 'subscribe' | 'unsubscribe' | 'again'>();
  /** Not answered since they are wanted. */
  readonly #awaited = new Set<string>();
  #wasAnswered = false;

  /** Names, and the wildcard if it is one of them, in the order in which they were subscribed to. */
  get names(): ReadonlySet<string> {
    return this.#wanted;
  }

  get isWildcard(): boolean {
    return this.#wanted.has(wildcard);
  }

  get awaited(): ReadonlySet<string> {
    return this.#awaited;
  }

  /** Whether a resource that came was asked for, by its name, by an alias or with all others. */
  covers(name: string, aliases: readonly string[] = []): boolean {
    return this.isWildcard || this.#wanted.has(name) || aliases.some((alias) => this.#wanted.has(alias));
  }

  /** False when it was wanted before. */
  add(name: string): boolean {
    if (this.#wanted.has(name)) return false;
    this.#wanted.add(name);
    this.#awaited.add(name);
    this.#changed.set(name, this.#changed.has(name) ? 'again' : 'subscribe');
    return true;
  }

  /** False when it was not wanted. */
  delete(name: string): boolean {
    if (!this.#wanted.delete(name)) return false;
    this.#awaited.delete(name);
    if (this.#changed.get(name) === 'subscribe') this.#changed.delete(name);
    else this.#changed.set(name, 'unsubscribe');
    return true;
  }

  /** The control plane said what it has under this name, or that it has nothing. */
  onAnswered(name: string): void {
    this.#awaited.delete(name);
    this.#wasAnswered = true;
  }

  /** What a control plane that was told all before has to be told now. Forgets it. */
  takeChanges(): SubscriptionChanges {
    const changes = { subscribe: [] as string[], unsubscribe: [] as string[], again: [] as string[] };
    for (const [name, change] of this.#changed) changes[change].push(name);
    this.#changed.clear();
    return changes;
  }

  /**
   * Of what a consumer holds, that which a control plane may rely on. What is not subscribed to, or was let go and did
   * not come again since, is not named: the control plane would not send it (envoyproxy/envoy#22418). Before the first
   * answer, all that is held was kept from an earlier run, and is relied on.
   */
  reliable(held: Iterable<readonly [name: string, version: string]>): readonly (readonly [string, string])[] {
    const reliable: (readonly [string, string])[] = [];
    for (const entry of held) {
      if (this.covers(entry[0]) && !(this.#wasAnswered && this.#awaited.has(entry[0]))) reliable.push(entry);
    }
    return reliable;
  }
}
