// How much of a cluster may be in use at once, for one routing priority. It counts and refuses; what a refusal means
// is decided where the resource is asked for.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking
//
// Every successful acquire is paid back by exactly one release. Counters belong to one worker, so a limit holds for
// each worker by itself.

import type { CircuitBreaker as Limits } from '../../config/cluster.ts';
import { circuitBreakerStats } from '../telemetry/cluster-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import { retryLimit } from './retry-budget.ts';

export class CircuitBreaker {
  readonly #connections: ResourceLimit;
  readonly #pendingRequests: ResourceLimit;
  readonly #requests: ResourceLimit;
  readonly #retries: ResourceLimit;
  #limits: Limits;
  #gauges: StatBlock | null = null;

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#connections = new ResourceLimit(limits.maxConnections);
    this.#pendingRequests = new ResourceLimit(limits.maxPendingRequests);
    this.#requests = new ResourceLimit(limits.maxRequests);
    this.#retries = new ResourceLimit(limits.maxRetries);
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** New limits hold for what is acquired from now on; what is held stays held. */
  updateLimits(limits: Limits): void {
    this.#limits = limits;
    this.#connections.max = limits.maxConnections;
    this.#pendingRequests.max = limits.maxPendingRequests;
    this.#requests.max = limits.maxRequests;
    this.#retries.max = limits.maxRetries;
    this.publish(this.#gauges);
  }

  /** Where the gauges are written from now on: a block of `circuitBreakerStats`, or null to write none. */
  publish(gauges: StatBlock | null): void {
    this.#gauges = gauges;
    // The sets of both priorities are alike; `remaining_*` is counted on request only, being a write per acquire.
    const stats = circuitBreakerStats.default;
    const isTracked = this.#limits.trackRemaining;
    this.#connections.publish(gauges, stats.cxOpen, isTracked ? stats.remainingCx : untracked);
    this.#pendingRequests.publish(gauges, stats.rqPendingOpen, isTracked ? stats.remainingPending : untracked);
    // As in Envoy: the gauge of retries is of `max_retries` even where a budget takes its place, and what remains of a budget
    // is shown as 0, since it depends on requests that come and go.
    const hasBudget = this.#limits.retryBudget !== undefined;
    this.#requests.count(hasBudget ? stats.rqActive : untracked);
    this.#requests.publish(gauges, stats.rqOpen, isTracked ? stats.remainingRq : untracked);
    this.#retries.publish(gauges, stats.rqRetryOpen, isTracked && !hasBudget ? stats.remainingRetries : untracked);
    if (isTracked && hasBudget) gauges?.set(stats.remainingRetries, 0);
  }

  get connections(): number {
    return this.#connections.active;
  }

  get pendingRequests(): number {
    return this.#pendingRequests.active;
  }

  get requests(): number {
    return this.#requests.active;
  }

  get retries(): number {
    return this.#retries.active;
  }

  /** Nothing is held. */
  get isIdle(): boolean {
    return this.connections === 0 && this.pendingRequests === 0 && this.requests === 0 && this.retries === 0;
  }

  tryAcquireConnection(): boolean {
    return this.#connections.tryAcquire();
  }

  /**
   * Beyond the limit if it must be: an endpoint without any connection is always allowed one, since requests that wait
   * for it could never be served otherwise (Envoy does the same).
   */
  acquireConnection(): void {
    this.#connections.acquire();
  }

  releaseConnection(): void {
    this.#connections.release();
  }

  tryAcquirePendingRequest(): boolean {
    return this.#pendingRequests.tryAcquire();
  }

  releasePendingRequest(): void {
    this.#pendingRequests.release();
  }

  tryAcquireRequest(): boolean {
    return this.#requests.tryAcquire();
  }

  releaseRequest(): void {
    this.#requests.release();
  }

  /** A request that waits for its connection counts as one, too: `requests` has them all. */
  tryAcquireRetry(): boolean {
    const budget = this.#limits.retryBudget;
    if (budget === undefined) return this.#retries.tryAcquire();
    if (this.retries >= retryLimit(budget, this.requests)) return false;
    this.#retries.acquire();
    return true;
  }

  releaseRetry(): void {
    this.#retries.release();
  }
}

const untracked = -1;

class ResourceLimit {
  max: number;
  active = 0;
  #gauges: StatBlock | null = null;
  #open = untracked;
  #remaining = untracked;
  #active = untracked;
  /** Some gauge is written with every acquire and release. */
  #isReported = false;

  constructor(max: number) {
    this.max = max;
  }

  /** Before `publish`: the gauge of what is held. */
  count(active: number): void {
    this.#active = active;
  }

  publish(gauges: StatBlock | null, open: number, remaining: number): void {
    this.#gauges = gauges;
    this.#open = open;
    this.#remaining = remaining;
    gauges?.set(open, this.active >= this.max ? 1 : 0);
    this.#isReported = remaining !== untracked || this.#active !== untracked;
    if (this.#isReported) this.#report();
  }

  tryAcquire(): boolean {
    if (this.active >= this.max) return false;
    this.acquire();
    return true;
  }

  acquire(): void {
    this.active++;
    // The gauge is written when it changes, not for every request.
    if (this.active === this.max) this.#gauges?.set(this.#open, 1);
    if (this.#isReported) this.#report();
  }

  release(): void {
    if (this.active === this.max) this.#gauges?.set(this.#open, 0);
    this.active--;
    if (this.#isReported) this.#report();
  }

  #report(): void {
    if (this.#remaining !== untracked) this.#gauges?.set(this.#remaining, Math.max(0, this.max - this.active));
    if (this.#active !== untracked) this.#gauges?.set(this.#active, this.active);
  }
}
