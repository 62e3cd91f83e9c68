// How much of a cluster may be in use at once, for one routing priority. Counters only: what is refused, counted and
// answered is decided where the resource is asked for.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/circuit_breaking
//
// Every successful acquire is paid back by exactly one release. Counters belong to one worker, so a limit holds for
// each worker by itself.

import type { CircuitBreaker as Limits } from '../../config/cluster.ts';

export class CircuitBreaker {
  #limits: Limits;
  #connections = 0;
  #pendingRequests = 0;
  #requests = 0;
  #retries = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** New limits hold for what is acquired from now on; what is held stays held. */
  updateLimits(limits: Limits): void {
    this.#limits = limits;
  }

  get connections(): number {
    return this.#connections;
  }

  get pendingRequests(): number {
    return this.#pendingRequests;
  }

  get requests(): number {
    return this.#requests;
  }

  get retries(): number {
    return this.#retries;
  }

  /** Whether the next connection would be refused; the `cx_open` gauge. The others alike. */
  get isOpenForConnections(): boolean {
    return this.#connections >= this.#limits.maxConnections;
  }

  get isOpenForPendingRequests(): boolean {
    return this.#pendingRequests >= this.#limits.maxPendingRequests;
  }

  get isOpenForRequests(): boolean {
    return this.#requests >= this.#limits.maxRequests;
  }

  get isOpenForRetries(): boolean {
    return this.#retries >= this.#limits.maxRetries;
  }

  tryAcquireConnection(): boolean {
    if (this.#connections >= this.#limits.maxConnections) return false;
    this.#connections++;
    return true;
  }

  /**
   * Beyond the limit if it must be: an endpoint without any connection is always allowed one, since requests that wait
   * for it could never be served otherwise (Envoy does the same).
   */
  acquireConnection(): void {
    this.#connections++;
  }

  releaseConnection(): void {
    this.#connections--;
  }

  tryAcquirePendingRequest(): boolean {
    if (this.#pendingRequests >= this.#limits.maxPendingRequests) return false;
    this.#pendingRequests++;
    return true;
  }

  releasePendingRequest(): void {
    this.#pendingRequests--;
  }

  tryAcquireRequest(): boolean {
    if (this.#requests >= this.#limits.maxRequests) return false;
    this.#requests++;
    return true;
  }

  releaseRequest(): void {
    this.#requests--;
  }

  tryAcquireRetry(): boolean {
    if (this.#retries >= this.#limits.maxRetries) return false;
    this.#retries++;
    return true;
  }

  releaseRetry(): void {
    this.#retries--;
  }
}
