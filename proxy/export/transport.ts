// One attempt to hand a request to one endpoint. Protocols differ in this, and in nothing else: when to try again, and
// where, is the sender's business.

import type { CollectorEndpoint } from './collector-address.ts';

export interface Transport {
  /**
   * Never rejects. Both limits are in milliseconds; `signal` ends the attempt. Of a `body` that was accepted nothing is read
   * afterwards.
   */
  attempt(endpoint: CollectorEndpoint, body: Uint8Array, limits: AttemptLimits): Promise<AttemptResult>;
  /** Connections to other endpoints are not needed any more. */
  retain(endpoints: readonly CollectorEndpoint[]): void;
  close(): void;
}

export interface AttemptLimits {
  readonly connectMs: number;
  readonly answerMs: number;
  readonly signal: AbortSignal;
}

export type AttemptResult =
  | { readonly kind: 'accepted'; readonly answer: Uint8Array }
  /** Another attempt would end the same way. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It was answered, and not in a way that says what became of it: another attempt might be taken twice. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** `afterMs`: how long the collector asks to be left alone. */
  | { readonly kind: 'try-again'; readonly reason: string; readonly afterMs?: number };

/** A collector says what it refused in a few words; what says more is none. */
export const maxAnswerBytes = 64 * 1024;
