// One name that a cluster resolves again and again: when to ask next, and what was last known.

import type { DnsOptions } from '../../config/cluster.ts';
import type { Random } from '../../config/random.ts';
import type { QueryOutcome } from './dns-query.ts';
import type { DnsResolver } from './dns-resolver.ts';

/** Calls back once after a delay; returns what prevents it. */
export type Schedule = (delayMs: number, callback: () => void) => () => void;

export interface DnsTargetOptions {
  readonly hostname: string;
  readonly dns: DnsOptions;
  readonly resolver: DnsResolver;
  readonly schedule: Schedule;
  readonly random: Random;
  readonly onAttempt: () => void;
  /** After each attempt, until the target is stopped. */
  readonly onOutcome: (outcome: QueryOutcome) => void;
}

export class DnsTarget {
  readonly #options: DnsTargetOptions;
  #cancel: (() => void) | null = null;
  #isStopped = false;
  #backOffMs: number;

  constructor(options: DnsTargetOptions) {
    this.#options = options;
    this.#backOffMs = options.dns.failureRefreshBaseMs;
  }

  start(): void {
    const { hostname, dns, resolver, onAttempt } = this.#options;
    onAttempt();
    void resolver.resolve(hostname, dns.family).then((outcome) => this.#finish(outcome));
  }

  /** No callback comes any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  #finish(outcome: QueryOutcome): void {
    if (this.#isStopped) return;
    const { schedule, onOutcome } = this.#options;
    this.#cancel = schedule(this.#nextDelayMs(outcome), () => this.start());
    onOutcome(outcome);
  }

  #nextDelayMs(outcome: QueryOutcome): number {
    const { dns, random } = this.#options;
    if (outcome.kind === 'failed') return this.#nextFailureDelayMs();
    this.#backOffMs = dns.failureRefreshBaseMs;
    const hasTtl = dns.respectTtl && outcome.ttlMs !== null && outcome.ttlMs > 0;
    return (hasTtl ? outcome.ttlMs! : dns.refreshRateMs) + Math.floor(random() * dns.jitterMs);
  }

  /** Exponential and fully jittered, as in Envoy. A base that equals the maximum is a fixed rate: Envoy's default. */
  #nextFailureDelayMs(): number {
    const { dns, random } = this.#options;
    if (dns.failureRefreshBaseMs >= dns.failureRefreshMaxMs) return dns.failureRefreshMaxMs;
    const backOffMs = this.#backOffMs;
    this.#backOffMs = Math.min(2 * backOffMs, dns.failureRefreshMaxMs);
    return Math.max(1, Math.floor(random() * backOffMs));
  }
}
