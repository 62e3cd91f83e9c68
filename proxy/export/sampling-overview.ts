// What people see of sampling: `/sampling` and the page. Plain data.

import type { DropReason } from './sampled-key.ts';

export interface SamplingOverview {
  /** Rates are those of a file of settings, or the percentages of connection managers and routes. */
  readonly rates: 'settings' | 'percentages';
  /** Null where percentages decide: what they choose has no budget. */
  readonly budget: SamplingBudget | null;
  /** Traces that left in the last second by head and caller's decisions. */
  readonly tracesPerSecond: number;
  /** The share of traces that stage 2 lets pass now, 0 to 1: below 1 while more is chosen than may leave. */
  readonly passing: { readonly head: number; readonly error: number };
  /** Those with most requests first. */
  readonly keys: readonly KeyOverview[];
}

export interface SamplingBudget {
  /** Of this instance: its part of `settingsPerSecond` where that is for the whole service. */
  readonly tracesPerSecond: number;
  readonly settingsPerSecond: number;
  readonly scope: 'instance' | 'service';
  /** Instances that were last seen, this one included; 1 where the scope is the instance. */
  readonly replicas: number;
}

export interface KeyOverview {
  /** `*` stands for all keys that found no room of their own. */
  readonly service: string;
  readonly route: string;
  readonly method: string;
  /** Index of the rule about headers that its requests match; null for none. */
  readonly headerRule: number | null;
  readonly requestsPerSecond: number;
  /** Of them, those that came without a caller's decision, as of an application that passes no trace headers on. */
  readonly begunPerSecond: number;
  /** Null where percentages decide. */
  readonly probability: number | null;
  /** Records since the key came, by reason (`head`, `error` …). */
  readonly kept: Readonly<Record<string, number>>;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
}
