// What a stream of either protocol is for the server: requests come in as bytes, and whenever the client takes bytes, the
// session says what it should get next of the snapshot as it is then. Nothing is queued: a client that reads slowly gets
// fewer, newer responses.

import type { ClientNode } from './discovery-message.ts';
import type { ServedSnapshot } from './served-snapshot.ts';
import type { SubscriptionStatus } from './type-subscription.ts';

export interface DiscoverySession {
  readonly protocol: 'delta' | 'state-of-the-world';
  onRequest(message: Uint8Array): RequestOutcome;
  /** The next response, or undefined when the client has everything it asked for. */
  next(snapshot: ServedSnapshot): Buffer | undefined;
  status(): readonly SubscriptionStatus[];
}

export type RequestOutcome =
  | {
      readonly kind: 'taken';
      readonly node: ClientNode | undefined;
      /** What the client did not accept (NACK). */
      readonly refusal: Refusal | undefined;
    }
  /** Ends the stream, with a gRPC status. */
  | { readonly kind: 'failed'; readonly code: 'INVALID_ARGUMENT' | 'RESOURCE_EXHAUSTED'; readonly reason: string };

export interface Refusal {
  readonly typeUrl: string;
  readonly version: string;
  readonly text: string;
}

export interface SessionOptions {
  /** Of a stream for one type; undefined on the aggregated one. */
  readonly typeUrl: string | undefined;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
}

/** More than the largest meshes have; each costs some hundred bytes. */
export const maxNamesOfStream = 500_000;
/** There are eight, and Istio has some of its own. */
export const maxTypesOfStream = 64;
export const tooManySubscriptions = `more than ${maxNamesOfStream} names or ${maxTypesOfStream} types on one stream`;
