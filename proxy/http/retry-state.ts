// What one request may still retry: its own count, the cluster's budget of retries at the same time, the endpoints that
// failed it. Made when an attempt fails, so that a request that goes well pays nothing for its policy.

import type { Random } from '../../config/random.ts';
import type { CircuitBreaker } from '../cluster/circuit-breaker.ts';
import type { EndpointRuntime } from '../cluster/endpoint-runtime.ts';
import type { CompiledRetryPolicy } from '../route/retry-policy.ts';
import { clusterStats } from '../telemetry/cluster-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { ResponseHead } from './message.ts';
import { ResponseFlag, type StreamInfo } from './stream-info.ts';

export class RetryState {
  readonly policy: CompiledRetryPolicy;
  readonly #breaker: CircuitBreaker;
  readonly #stats: StatBlock;
  readonly #tried: EndpointRuntime[] = [];
  #left: number;
  /** Waits that grow; one that a response asks for is none of them. */
  #waits = 0;
  /** What the response asked for that is retried next; 0 when it did not. */
  #resetMs = 0;
  #holdsRetry = false;

  constructor(policy: CompiledRetryPolicy, breaker: CircuitBreaker, stats: StatBlock) {
    this.policy = policy;
    this.#breaker = breaker;
    this.#stats = stats;
    this.#left = policy.maxRetries;
  }

  /** Endpoints not to be chosen again; null when the policy does not mind. */
  get excluded(): readonly EndpointRuntime[] | null {
    return this.policy.avoidPreviousHosts ? this.#tried : null;
  }

  /**
   * Takes one retry out of the request's count and the cluster's budget; what is exhausted is counted and flagged. The
   * budget is held until `release`, thus for the wait and the attempt, as Envoy's `max_retries` counts.
   */
  take(info: StreamInfo): boolean {
    this.release();
    if (this.#left <= 0) {
      this.#stats.inc(clusterStats.upstreamRqRetryLimitExceeded);
      info.responseFlags |= ResponseFlag.upstreamRetryLimitExceeded;
      return false;
    }
    this.#left--;
    if (!this.#breaker.tryAcquireRetry()) {
      this.#stats.inc(clusterStats.upstreamRqRetryOverflow);
      info.responseFlags |= ResponseFlag.upstreamOverflow;
      return false;
    }
    this.#holdsRetry = true;
    this.#stats.inc(clusterStats.upstreamRqRetry);
    return true;
  }

  /** Remembers who failed the attempt. */
  leave(endpoint: EndpointRuntime): void {
    if (this.policy.avoidPreviousHosts) this.#tried.push(endpoint);
  }

  /** Heeds what the response that is retried asks for, at `wallMs` of the day. */
  heed(head: ResponseHead, wallMs: number): void {
    this.#resetMs = this.policy.resetInterval?.read(head, wallMs) ?? 0;
  }

  /**
   * The wait before the retry just taken, at least one turn of the timer wheel. One that the response asked for is made up to
   * half longer, so that not all clients come back at once.
   */
  delayMs(random: Random): number {
    const resetMs = this.#resetMs;
    this.#resetMs = 0;
    if (resetMs > 0) {
      this.#stats.inc(clusterStats.upstreamRqRetryBackoffRatelimited);
      return resetMs + Math.floor((random() * resetMs) / 2);
    }
    this.#stats.inc(clusterStats.upstreamRqRetryBackoffExponential);
    return Math.max(1, this.policy.backoffMs(++this.#waits, random));
  }

  /** Gives the budget back. */
  release(): void {
    if (this.#holdsRetry) this.#breaker.releaseRetry();
    this.#holdsRetry = false;
  }
}
