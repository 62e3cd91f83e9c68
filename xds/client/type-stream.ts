// What the two variants of the protocol have in common: one type's side of one stream, as a state that only its own
// transition function changes. It sends nothing itself and knows no time, so that each rule is one call in a test.

import type { DiscoveryRequest, DiscoveryResponse } from './discovery-wire.ts';
import type { Subscriptions } from './subscriptions.ts';

export type Held = Iterable<readonly [name: string, version: string]>;

export type TypeStreamInput =
  /** A stream was opened: its peer knows nothing yet. */
  | { readonly kind: 'opened' }
  /** It is time to tell the peer what is subscribed to. */
  | { readonly kind: 'subscriptions'; readonly subscriptions: Subscriptions; readonly held: () => Held }
  /** A response was taken over, or not because of `refusal`. */
  | { readonly kind: 'handled'; readonly response: DiscoveryResponse; readonly refusal?: string };

export interface TypeStream {
  /** The one place where the state changes; returns what is to be sent, in order. */
  transition(input: TypeStreamInput): readonly DiscoveryRequest[];
  /** Names that are gone by a response with the resources of `names`, of all that are `known` now. */
  removedBy(response: DiscoveryResponse, names: ReadonlySet<string>, known: Iterable<string>): readonly string[];
  /** Whether `known` says anything of it. */
  readonly removesByAbsence: boolean;
  /** Whether the peer was asked for this type. It must not be answered before that. */
  readonly isAsked: boolean;
}

const typePrefix = 'type.googleapis.com/envoy.config.';

/**
 * Types for which nothing subscribed in the first request means everything, and of which a state-of-the-world response
 * has all there is (xDS protocol, "How the client specifies what resources to return" and "Grouping Resources").
 */
const listedTypes: ReadonlySet<string> = new Set([
  `${typePrefix}cluster.v3.Cluster`,
  `${typePrefix}listener.v3.Listener`,
]);

export function isListedType(typeUrl: string): boolean {
  return listedTypes.has(typeUrl);
}

/**
 * Whether resources of a type have no names on the wire: then a control plane cannot be told what is held. Istio would take
 * the name that we use for one that is gone, and have it removed.
 */
export function isNamelessType(typeUrl: string): boolean {
  return typeUrl === 'type.googleapis.com/istio.networking.nds.v1.NameTable';
}

export const noRequests: readonly DiscoveryRequest[] = [];
