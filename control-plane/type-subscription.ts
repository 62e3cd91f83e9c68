// What one stream asked for of one type, what the client has of it, and how it answered.

import { resourcesOf, type ServedResources, type ServedSnapshot } from './served-snapshot.ts';
import { servedTypes } from './served-type.ts';
import { emptyVector, type VersionVector } from './version-vector.ts';

export interface SubscriptionStatus {
  readonly typeUrl: string;
  readonly isWildcard: boolean;
  readonly subscribed: readonly string[];
  /** Version of the last response. */
  readonly sentVersion: string;
  readonly lastAck?: { readonly version: string; readonly atMs: number };
  readonly lastNack?: { readonly version: string; readonly atMs: number; readonly text: string };
}

/** Responses whose answer may still come; a client that never answers is not remembered for without limit. */
const maxUnanswered = 64;

export class TypeSubscription {
  readonly typeUrl: string;
  isWildcard = false;
  readonly names = new Set<string>();
  /** Version of what the client was sent, or said that it has. */
  readonly held = new Map<string, string>();
  /** Names that get an answer even when there is nothing by them. */
  readonly unanswered = new Set<string>();
  /** Whether the stream had a response of the type. */
  wasAnswered = false;
  /** `ServedResources.hops` as they were in that response. */
  toldHops: VersionVector = emptyVector;
  #isChanged = true;
  #looked: ServedResources | undefined;
  #sentVersion = '';
  #lastAck: SubscriptionStatus['lastAck'];
  #lastNack: SubscriptionStatus['lastNack'];
  readonly #versions = new Map<string, string>();

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  /** The subscription itself changed, or a resource is to be sent again. */
  markChanged(): void {
    this.#isChanged = true;
  }

  /** The resources of the type, or undefined when nothing changed since they were last asked for. */
  takeChange(snapshot: ServedSnapshot): ServedResources | undefined {
    const resources = resourcesOf(snapshot, this.typeUrl);
    if (!this.#isChanged && this.#looked === resources) return undefined;
    this.#isChanged = false;
    this.#looked = resources;
    return resources;
  }

  onSent(nonce: string, version: string): void {
    this.wasAnswered = true;
    this.#sentVersion = version;
    this.#versions.set(nonce, version);
    if (this.#versions.size > maxUnanswered) this.#versions.delete(this.#versions.keys().next().value!);
  }

  /** The version that `nonce` answers; empty for a nonce that was not sent on this stream, which says nothing. */
  onAnswer(nonce: string, refusal: string | undefined, atMs: number): string {
    const version = this.#versions.get(nonce) ?? '';
    this.#versions.delete(nonce);
    if (refusal !== undefined) this.#lastNack = { version, atMs, text: refusal };
    else if (version !== '') this.#lastAck = { version, atMs };
    return version;
  }

  status(): SubscriptionStatus {
    return {
      typeUrl: this.typeUrl,
      isWildcard: this.isWildcard,
      subscribed: [...this.names],
      sentVersion: this.#sentVersion,
      ...(this.#lastAck && { lastAck: this.#lastAck }),
      ...(this.#lastNack && { lastNack: this.#lastNack }),
    };
  }
}

/** Subscriptions of a stream in the order in which changes are sent; types that are not known here come last. */
export function inSendingOrder(subscriptions: ReadonlyMap<string, TypeSubscription>): TypeSubscription[] {
  const known = servedTypes.map(({ typeUrl }) => subscriptions.get(typeUrl)).filter((type) => type !== undefined);
  return [...new Set([...known, ...subscriptions.values()])];
}
