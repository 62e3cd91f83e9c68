// A key of sampling as the main thread knows it: what all workers together have counted of it, and what became of its
// records. Its counters are its statistics.

import type { SamplingKey } from '../../sampler/key-table.ts';
import { samplerDroppedStats, samplerKeptStats, samplerKeyStats } from '../telemetry/sampling-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { type SamplingReason, samplingReasonNames } from '../tracing/sampling-reason.ts';

/** Why a request was not kept. */
export const dropReasons = ['probability', 'budget', 'errors', 'overload'] as const;
/**
 * `probability`: nothing chose it. `budget`: it was chosen, and more were than may leave in a second. `errors`: an error
 * beyond what may be kept of them. `overload`: the main thread was too slow to take it.
 */
export type DropReason = (typeof dropReasons)[number];

export class SampledKey {
  readonly key: SamplingKey;
  /** Slots of workers that count for it. */
  users = 0;
  requestsPerSecond = 0;
  /** Of them, those whose caller has decided nothing: their trace begins here. */
  begunPerSecond = 0;
  readonly #stats: WorkerStats;
  readonly #names: readonly string[];
  readonly #rates: StatBlock;
  readonly #kept = new Map<SamplingReason, StatBlock>();
  readonly #dropped = new Map<DropReason, StatBlock>();
  #requests = 0;
  #begun = 0;
  #begunBefore = 0;
  /** Requests when the last windows closed, the newest first. */
  #requestsBefore: readonly number[] = [];
  #taken = 0;

  constructor(key: SamplingKey, stats: WorkerStats) {
    const { service, route, method, headerRule } = key;
    this.key = key;
    this.#stats = stats;
    this.#names = [service, route, method, headerRule < 0 ? '' : String(headerRule)];
    this.#rates = stats.block(samplerKeyStats, ...this.#names);
  }

  /** Those that begin a trace here, and those whose caller has decided. */
  countRequests(begun: number, decided: number): void {
    this.#requests += begun + decided;
    if (begun === 0) return;
    this.#begun += begun;
    this.#rates.add(samplerKeyStats.begunTotal, begun);
  }

  countKept(reason: SamplingReason, count: number): void {
    let block = this.#kept.get(reason);
    if (block === undefined) {
      block = this.#stats.block(samplerKeptStats, ...this.#names, samplingReasonNames[reason]!);
      this.#kept.set(reason, block);
    }
    block.add(samplerKeptStats.keptTotal, count);
    this.#taken += count;
  }

  countDropped(reason: DropReason, count: number): void {
    let block = this.#dropped.get(reason);
    if (block === undefined) {
      block = this.#stats.block(samplerDroppedStats, ...this.#names, reason);
      this.#dropped.set(reason, block);
    }
    block.add(samplerDroppedStats.droppedTotal, count);
    this.#taken += count;
  }

  /** A window of `elapsedMs` is over. Returns how many requests are now known to be dropped because nothing chose them. */
  closeWindow(elapsedMs: number, probability: number | undefined): number {
    this.requestsPerSecond = ((this.#requests - (this.#requestsBefore[0] ?? 0)) * 1000) / elapsedMs;
    this.#rates.set(samplerKeyStats.requestsPerSecond, this.requestsPerSecond);
    this.begunPerSecond = ((this.#begun - this.#begunBefore) * 1000) / elapsedMs;
    this.#begunBefore = this.#begun;
    if (probability !== undefined) this.#rates.set(samplerKeyStats.probability, probability);
    this.#requestsBefore = [this.#requests, ...this.#requestsBefore].slice(0, settledWindows + 1);
    if (this.#requestsBefore.length <= settledWindows) return 0;
    const settled = this.#requestsBefore[settledWindows]!;
    const unchosen = Math.max(0, settled - this.#taken);
    if (unchosen > 0) this.countDropped('probability', unchosen);
    return unchosen;
  }

  /** What was kept so far, by the name of the reason. */
  get kept(): Readonly<Record<string, number>> {
    const counts = [...this.#kept].map(([reason, block]) => [
      samplingReasonNames[reason]!,
      block.get(samplerKeptStats.keptTotal),
    ]);
    return Object.fromEntries(counts);
  }

  get dropped(): Readonly<Partial<Record<DropReason, number>>> {
    const counts = [...this.#dropped].map(([reason, block]) => [reason, block.get(samplerDroppedStats.droppedTotal)]);
    return Object.fromEntries(counts);
  }

  /** Nobody counts for it any more. */
  release(): void {
    for (const block of [this.#rates, ...this.#kept.values(), ...this.#dropped.values()]) this.#stats.release(block);
  }
}

/**
 * Windows after which a request's record has come if it ever does: it waits in its worker and for stage 2. One that
 * lasted longer, and is kept in the end, is counted as dropped too.
 */
const settledWindows = 3;
