// One type in the state-of-the-world protocol: each request has all names, the last version that was accepted and the
// nonce of the last response, and so says subscriptions and acknowledgement in one.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#variants-of-the-xds-transport-protocol

import { wildcard } from './discovery.ts';
import type { DiscoveryRequest, DiscoveryResponse } from './discovery-wire.ts';
import type { Subscriptions } from './subscriptions.ts';
import { type Held, isListedType, noRequests, type TypeStream, type TypeStreamInput } from './type-stream.ts';

export class StateOfTheWorldStream implements TypeStream {
  readonly #typeUrl: string;
  readonly removesByAbsence = true;
  #state: State = { kind: 'unasked', version: '' };

  constructor(typeUrl: string) {
    this.#typeUrl = typeUrl;
  }

  get isAsked(): boolean {
    return this.#state.kind === 'asked';
  }

  transition(input: TypeStreamInput): readonly DiscoveryRequest[] {
    switch (input.kind) {
      case 'opened':
        this.#state = { kind: 'unasked', version: this.#state.version };
        return noRequests;
      case 'subscriptions':
        if (this.#state.kind === 'unasked') return this.#ask(input.subscriptions, input.held);
        return this.#change(this.#state, input.subscriptions);
      case 'handled':
        return this.#state.kind === 'unasked' ? noRequests : this.#answer(this.#state, input.response, input.refusal);
    }
  }

  /** Only responses with all there is say by what they lack that it is gone; a heartbeat says nothing of the others. */
  removedBy(response: DiscoveryResponse, names: ReadonlySet<string>, known: Iterable<string>): readonly string[] {
    const { resources } = response;
    const isHeartbeat = resources.length > 0 && resources.every(({ message }) => message === undefined);
    if (!isListedType(this.#typeUrl) || isHeartbeat) return [];
    return [...new Set(known)].filter((name) => !names.has(name));
  }

  #ask(subscriptions: Subscriptions, held: () => Held): readonly DiscoveryRequest[] {
    subscriptions.takeChanges();
    if (subscriptions.names.size === 0) return noRequests;
    const isWildcardImplied = isListedType(this.#typeUrl) && subscriptions.names.size === 1 && subscriptions.isWildcard;
    // A server keeps back what the version says is known, so it is said only when nothing is missing.
    const version = isComplete(subscriptions, held) ? this.#state.version : '';
    const names = isWildcardImplied ? [] : [...subscriptions.names];
    return [this.#request({ kind: 'asked', version, nonce: '', names, isWildcardImplied })];
  }

  #change(state: Asked, subscriptions: Subscriptions): readonly DiscoveryRequest[] {
    const { subscribe, unsubscribe, again } = subscriptions.takeChanges();
    if (subscribe.length + unsubscribe.length + again.length === 0) return noRequests;
    const names = [...subscriptions.names];
    // What an empty request implied cannot be taken back by another one; what comes is not wanted, and passed over.
    if (names.length === 0 && state.isWildcardImplied) return noRequests;
    const isLetGo = (name: string) => again.includes(name);
    const told = { ...state, isWildcardImplied: false };
    const first =
      again.length === 0 ? noRequests : [this.#request({ ...told, names: names.filter((n) => !isLetGo(n)) })];
    return [...first, this.#request({ ...told, names })];
  }

  #answer(state: Asked, { version, nonce }: DiscoveryResponse, refusal?: string): readonly DiscoveryRequest[] {
    // Without a nonce a request would be the first one again.
    if (nonce === '') return noRequests;
    // With the names of before: what changed while the response was taken over is a request of its own.
    return [this.#request({ ...state, nonce, ...(refusal === undefined && { version }) }, refusal)];
  }

  /** Every request says the whole state, so the state is what the last one said. */
  #request(state: Asked, refusal?: string): DiscoveryRequest {
    this.#state = state;
    const { version, nonce, names } = state;
    const request = { kind: 'state-of-the-world', typeUrl: this.#typeUrl, version, nonce, names } as const;
    return refusal === undefined ? request : { ...request, refusal };
  }
}

/** `version` is the last that was accepted; it is known from stream to stream. */
type State = { readonly kind: 'unasked'; readonly version: string } | Asked;

interface Asked {
  readonly kind: 'asked';
  readonly version: string;
  /** Of the last response on this stream. */
  readonly nonce: string;
  readonly names: readonly string[];
  /** Nothing was named yet, which means everything. */
  readonly isWildcardImplied: boolean;
}

function isComplete(subscriptions: Subscriptions, held: () => Held): boolean {
  const known = new Set<string>();
  for (const [name] of subscriptions.reliable(held())) known.add(name);
  for (const name of subscriptions.names) if (name !== wildcard && !known.has(name)) return false;
  return true;
}
