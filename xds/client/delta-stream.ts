// One type in the incremental protocol: subscriptions travel as changes, and each response is answered by its nonce.
// https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds

import { wildcard } from './discovery.ts';
import type { DiscoveryRequest, DiscoveryResponse } from './discovery-wire.ts';
import type { Subscriptions } from './subscriptions.ts';
import {
  type Held,
  isListedType,
  isNamelessType,
  noRequests,
  type TypeStream,
  type TypeStreamInput,
} from './type-stream.ts';

export class DeltaStream implements TypeStream {
  readonly #typeUrl: string;
  readonly removesByAbsence = false;
  #state: State = { kind: 'unasked' };

  constructor(typeUrl: string) {
    this.#typeUrl = typeUrl;
  }

  get isAsked(): boolean {
    return this.#state.kind === 'asked';
  }

  transition(input: TypeStreamInput): readonly DiscoveryRequest[] {
    switch (input.kind) {
      case 'opened':
        this.#state = { kind: 'unasked' };
        return noRequests;
      case 'subscriptions':
        if (this.#state.kind === 'unasked') return this.#ask(input.subscriptions, input.held);
        return this.#change(this.#state, input.subscriptions);
      case 'handled': {
        const { response, refusal } = input;
        // Without a nonce it would be a change of subscriptions, and with an error one that no server expects.
        if (this.#state.kind === 'unasked' || response.nonce === '') return noRequests;
        return [this.#request({ nonce: response.nonce, ...(refusal !== undefined && { refusal }) })];
      }
    }
  }

  removedBy(response: DiscoveryResponse): readonly string[] {
    return response.removed;
  }

  /** All there is to say: names, and what of them needs not be sent. */
  #ask(subscriptions: Subscriptions, held: () => Held): readonly DiscoveryRequest[] {
    subscriptions.takeChanges();
    if (subscriptions.names.size === 0) return noRequests;
    // The form that servers from before the explicit wildcard know too. For other types not all take it for one.
    const isImplied = isListedType(this.#typeUrl) && subscriptions.names.size === 1 && subscriptions.isWildcard;
    this.#state = { kind: 'asked', isWildcardImplied: isImplied };
    const subscribe = isImplied ? [] : [...subscriptions.names];
    const initialVersions = isNamelessType(this.#typeUrl) ? [] : subscriptions.reliable(held());
    return [this.#request({ subscribe, initialVersions })];
  }

  #change(state: Asked, subscriptions: Subscriptions): readonly DiscoveryRequest[] {
    const { subscribe, unsubscribe, again } = subscriptions.takeChanges();
    const lost = [...unsubscribe, ...again];
    const gained = [...subscribe, ...again];
    if (lost.length + gained.length === 0) return noRequests;
    if (state.isWildcardImplied) {
      // A server may take names for the end of what an empty request implied.
      if (subscriptions.isWildcard && !gained.includes(wildcard)) gained.unshift(wildcard);
      this.#state = { kind: 'asked', isWildcardImplied: false };
    }
    // A name in both lists of one request has no meaning that servers agree on.
    return again.length === 0
      ? [this.#request({ subscribe: gained, unsubscribe: lost })]
      : [this.#request({ unsubscribe: lost }), this.#request({ subscribe: gained })];
  }

  #request(said: Partial<DeltaRequest>): DeltaRequest {
    return {
      kind: 'delta',
      typeUrl: this.#typeUrl,
      subscribe: [],
      unsubscribe: [],
      initialVersions: [],
      nonce: '',
      ...said,
    };
  }
}

type DeltaRequest = Extract<DiscoveryRequest, { kind: 'delta' }>;

type State = { readonly kind: 'unasked' } | Asked;

interface Asked {
  readonly kind: 'asked';
  /** The first request subscribed to everything by naming nothing, and nothing changed since. */
  readonly isWildcardImplied: boolean;
}
