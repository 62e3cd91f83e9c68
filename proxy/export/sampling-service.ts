// Stage 1 of sampling on the main thread: what workers count by key is merged, and the thresholds that follow are written back
// to where they read them. Nobody waits for anybody: a worker decides by the threshold it finds.
//
// A worker gives keys slots of its own, in the order in which it meets them. They are one key here by what they say.

import type { CappedRecord, ClosedWindow } from '../../sampler/export-cap.ts';
import { keyId, maxKeys, otherKey, otherSlot, type SamplingKey, type SlottedKey } from '../../sampler/key-table.ts';
import { RootRates } from '../../sampler/root-rates.ts';
import type { SamplingSettings } from '../../sampler/settings.ts';
import { always, probabilityOf, type Threshold } from '../../sampler/threshold.ts';
import { samplerStats, samplingStats } from '../telemetry/sampling-stats.ts';
import type { StatBlock } from '../telemetry/stats.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { ContextCounter, KeyCounter, ReachedStratum, SamplingMemory } from '../tracing/sampling-memory.ts';
import { SamplingReason } from '../tracing/sampling-reason.ts';
import type { TracingMessage } from '../tracing/tracing-message.ts';
import { DistinctTraces } from './distinct-traces.ts';
import { type DropReason, SampledKey } from './sampled-key.ts';
import type { SamplingBudget, SamplingOverview } from './sampling-overview.ts';

export interface SamplingServiceOptions {
  readonly settings: SamplingSettings;
  /** There is a file of settings. Otherwise percentages decide in the workers, and what they do is only watched. */
  readonly setsThresholds: boolean;
  /** Instances of this service that are there, this one included. Asked at every beat, for `scope: service`. */
  readonly replicas: () => number;
  readonly stats: WorkerStats;
  /** Milliseconds. */
  readonly clock: () => number;
}

/** As a `SpanRecord` has it. */
export interface RandomDigitsAt {
  readonly bytes: Uint8Array;
  readonly randomStart: number;
}

export type SamplingAnnouncement = Extract<TracingMessage, { readonly kind: 'sampling-memory' | 'sampling-key' }>;

/** Who owns a slot of one worker. */
interface WorkerKey {
  readonly id: string;
  readonly slotted: SlottedKey;
  readonly sampled: SampledKey;
  /** `unseen`: nothing that we decide has arrived; `due`: it has, and the worker has no threshold yet. */
  threshold: 'unseen' | 'due' | 'written';
}

interface Worker {
  readonly memory: SamplingMemory;
  readonly keys: Map<number, WorkerKey>;
  /** Counters by slot when they were last read. What came since belongs to the owner there is: an old one was idle. */
  readonly read: Uint32Array;
  /** Likewise, of `ContextCounter`. */
  readonly readContexts: Uint32Array;
}

export class SamplingService {
  readonly #options: SamplingServiceOptions;
  readonly #workers = new Map<number, Worker>();
  readonly #keys = new Map<string, SampledKey>();
  readonly #rates: RootRates;
  readonly #totals: StatBlock;
  readonly #suppressed: StatBlock;
  /** By stratum. */
  readonly #reached: Threshold[] = Object.values(ReachedStratum).map(() => always);
  #settings: SamplingSettings;
  #replicas = 1;
  readonly #tracesInWindow = new DistinctTraces();
  #usedPerSecond = 0;
  #windowFromMs: number;

  constructor(options: SamplingServiceOptions) {
    const { settings, stats, clock } = options;
    this.#options = options;
    this.#settings = settings;
    this.#rates = new RootRates(settings);
    this.#totals = stats.block(samplingStats);
    this.#suppressed = stats.block(samplerStats);
    this.#windowFromMs = clock();
    this.#askReplicas();
  }

  /** What a worker (any number, one for each) announces, in the order in which it does. */
  accept(worker: number, message: SamplingAnnouncement): void {
    if (message.kind === 'sampling-memory') {
      const memory = new SamplingMemory(message.memory);
      const read = new Uint32Array(maxKeys * counters);
      const started = { memory, keys: new Map(), read, readContexts: new Uint32Array(contextStats.length) };
      this.#workers.set(worker, started);
      this.#own(started, otherSlot, otherKey);
      for (const stratum of Object.values(ReachedStratum)) {
        memory.setReached(stratum, this.#reached[stratum]!);
      }
      return;
    }
    const announcing = this.#workers.get(worker)!;
    this.#own(announcing, message.slot, message.key);
    // Now and not at the next beat: until then the worker keeps all of it.
    const key = announcing.keys.get(message.slot);
    if (key === undefined) return;
    this.#readKey(announcing, message.slot, key);
    this.#writeThresholds('due');
  }

  /** The settings' file has changed. */
  configure(settings: SamplingSettings): void {
    this.#settings = settings;
    this.#askReplicas();
    this.#rates.configure(settings);
    this.#writeThresholds();
  }

  /** To be called every second, and up to ten times as often (`sampling-beat.ts`). */
  tick(): void {
    const nowMs = this.#options.clock();
    for (const worker of this.#workers.values()) this.#read(worker);
    this.#askReplicas();
    const hasChanged = this.#rates.step(nowMs, this.#replicas);
    this.#writeThresholds(hasChanged ? 'all' : 'due');
    const elapsedMs = nowMs - this.#windowFromMs;
    if (elapsedMs >= windowMs) this.#closeWindow(nowMs, elapsedMs);
    else if (elapsedMs < 0) this.#windowFromMs = nowMs;
  }

  /** What the key of a worker's slot is counted by; that of all others for a slot without one. */
  keyIdAt(worker: number, slot: number): string {
    return this.#workers.get(worker)?.keys.get(slot)?.id ?? otherId;
  }

  /** What a `keyIdAt` stands for, whose text is not taken apart; undefined when nothing counts for it any more. */
  keyOf(id: string): SamplingKey | undefined {
    return this.#keys.get(id)?.key;
  }

  /** Stage 2 has closed a window. `key` of its records is a `keyIdAt`; one that is gone by now counts with the others. */
  takeWindow({ kept, suppressed }: Pick<ClosedWindow<CappedRecord>, 'kept' | 'suppressed'>): void {
    for (const { record, reason } of kept) {
      this.#countKept(this.#sampled(record.key), SamplingReason[reason]);
      if (reason === 'head' || reason === 'parent') this.#tracesInWindow.add(Buffer.from(record.random, 'latin1'), 0);
    }
    for (const { key, reason, count } of suppressed) {
      this.#countDropped(this.#sampled(key), reason === 'error' ? 'errors' : 'budget', count);
    }
  }

  /** A record was kept without a cap, chosen by the head. `key` is a `keyIdAt`. */
  takePassed(key: string, reason: SamplingReason, random: RandomDigitsAt): void {
    this.#countKept(this.#sampled(key), reason);
    this.#tracesInWindow.add(random.bytes, random.randomStart);
  }

  /** The threshold that stage 2 has reached in the window that runs: workers need not write what is below. */
  setReached(stratum: ReachedStratum, threshold: Threshold): void {
    if (this.#reached[stratum] === threshold) return;
    this.#reached[stratum] = threshold;
    for (const { memory } of this.#workers.values()) memory.setReached(stratum, threshold);
  }

  /** Traces a second that this instance may keep: its part of the budget. Stage 2 holds it. */
  get tracesPerSecond(): number {
    return this.#rates.tracesPerSecond;
  }

  overview(): SamplingOverview {
    const { setsThresholds } = this.#options;
    const keys = this.#probabilities((sampled, probability) => {
      const { service, route, method, headerRule } = sampled.key;
      return {
        ...{ service, route, method, headerRule: headerRule < 0 ? null : headerRule },
        requestsPerSecond: sampled.requestsPerSecond,
        begunPerSecond: sampled.begunPerSecond,
        probability: setsThresholds ? probability : null,
        kept: sampled.kept,
        dropped: sampled.dropped,
      };
    });
    return {
      rates: setsThresholds ? 'settings' : 'percentages',
      budget: setsThresholds ? this.#budget() : null,
      tracesPerSecond: this.#usedPerSecond,
      passing: {
        head: probabilityOf(this.#reached[ReachedStratum.head]!),
        error: probabilityOf(this.#reached[ReachedStratum.error]!),
      },
      keys: keys.sort((left, right) => right.requestsPerSecond - left.requestsPerSecond),
    };
  }

  #budget(): SamplingBudget {
    const { scope, tracesPerSecond } = this.#settings.budget;
    const facts = { settingsPerSecond: tracesPerSecond, scope, replicas: this.#replicas };
    return { tracesPerSecond: this.tracesPerSecond, ...facts };
  }

  #own(worker: Worker, slot: number, key: SamplingKey | null): void {
    const before = worker.keys.get(slot);
    worker.keys.delete(slot);
    if (before !== undefined) this.#release(before);
    if (key === null) return;
    const id = keyId(key);
    const sampled = this.#use(id, key);
    worker.keys.set(slot, { id, slotted: this.#rates.keyFor(key), sampled, threshold: 'unseen' });
  }

  #use(id: string, key: SamplingKey): SampledKey {
    let sampled = this.#keys.get(id);
    if (sampled === undefined) {
      sampled = new SampledKey(key, this.#options.stats);
      this.#keys.set(id, sampled);
    }
    sampled.users++;
    return sampled;
  }

  #release({ id, sampled }: WorkerKey): void {
    if (--sampled.users > 0) return;
    this.#keys.delete(id);
    sampled.release();
  }

  #sampled(id: string): SampledKey | undefined {
    return this.#keys.get(id) ?? this.#keys.get(otherId);
  }

  #read(worker: Worker): void {
    for (const [slot, key] of worker.keys) this.#readKey(worker, slot, key);
    for (const [counter, stat] of contextStats) {
      const value = worker.memory.contextCounter(counter);
      this.#totals.add(stat, (value - worker.readContexts[counter]!) >>> 0);
      worker.readContexts[counter] = value;
    }
  }

  #readKey({ memory, read }: Worker, slot: number, key: WorkerKey): void {
    const since = (counter: KeyCounter): number => {
      const value = memory.counter(slot, counter);
      const at = slot * counters + counter;
      const count = (value - read[at]!) >>> 0;
      read[at] = value;
      return count;
    };
    const { slotted, sampled } = key;
    const arrivals = since(KeyCounter.arrivals);
    this.#rates.arrived(slotted, arrivals);
    if (arrivals > 0 && key.threshold === 'unseen') key.threshold = 'due';
    sampled.countRequests(arrivals, since(KeyCounter.withParent));
    this.#countDropped(sampled, 'budget', since(KeyCounter.headSkipped));
    this.#countDropped(sampled, 'errors', since(KeyCounter.errorsSkipped));
    this.#countDropped(sampled, 'overload', since(KeyCounter.recordsDropped));
  }

  #countKept(sampled: SampledKey | undefined, reason: SamplingReason): void {
    sampled?.countKept(reason, 1);
    this.#totals.inc(samplingStats.kept);
    const byReason = keptStats[reason];
    if (byReason !== undefined) this.#totals.inc(byReason);
  }

  #countDropped(sampled: SampledKey | undefined, reason: DropReason, count: number): void {
    if (count === 0) return;
    sampled?.countDropped(reason, count);
    this.#totals.add(samplingStats.dropped, count);
    this.#totals.add(droppedStats[reason], count);
    if (reason === 'errors') this.#suppressed.add(samplerStats.errorsSuppressedTotal, count);
  }

  /** Of all keys; or of those that have none yet. */
  #writeThresholds(which: 'all' | 'due' = 'all'): void {
    if (!this.#options.setsThresholds) return;
    for (const { memory, keys } of this.#workers.values()) {
      for (const [slot, key] of keys) {
        if (key.threshold === 'unseen' || (key.threshold === 'written' && which === 'due')) continue;
        memory.setThreshold(slot, this.#rates.thresholdOf(key.slotted));
        key.threshold = 'written';
      }
    }
  }

  #closeWindow(nowMs: number, elapsedMs: number): void {
    this.#windowFromMs = nowMs;
    this.#usedPerSecond = (this.#tracesInWindow.size * 1000) / elapsedMs;
    this.#tracesInWindow.clear();
    this.#probabilities((sampled, probability) => {
      const unchosen = sampled.closeWindow(elapsedMs, this.#options.setsThresholds ? probability : undefined);
      this.#totals.add(samplingStats.dropped, unchosen);
      this.#totals.add(samplingStats.droppedProbability, unchosen);
    });
    this.#totals.set(samplingStats.keys, this.#keys.size);
    if (!this.#options.setsThresholds) return;
    const budget = this.tracesPerSecond;
    this.#totals.set(samplingStats.budget, budget);
    this.#totals.set(samplingStats.budgetUsedPercent, budget === 0 ? 0 : (this.#usedPerSecond / budget) * 100);
  }

  #askReplicas(): void {
    this.#replicas = this.#settings.budget.scope === 'service' ? Math.max(1, this.#options.replicas()) : 1;
  }

  /** Of every key with the probability that is set for it. */
  #probabilities<T>(of: (sampled: SampledKey, probability: number) => T): T[] {
    const slotted = new Map<SampledKey, SlottedKey>();
    for (const { keys } of this.#workers.values())
      for (const key of keys.values()) slotted.set(key.sampled, key.slotted);
    return [...slotted].map(([sampled, key]) => of(sampled, probabilityOf(this.#rates.thresholdOf(key))));
  }
}

const windowMs = 1000;
const otherId = keyId(otherKey);
const counters = Object.keys(KeyCounter).length;

const contextStats = [
  [ContextCounter.inboundWith, samplingStats.inboundWithContext],
  [ContextCounter.inboundWithout, samplingStats.inboundWithoutContext],
  [ContextCounter.outboundWith, samplingStats.outboundWithContext],
  [ContextCounter.outboundWithout, samplingStats.outboundWithoutContext],
] as const;

const keptStats: Readonly<Partial<Record<SamplingReason, number>>> = {
  [SamplingReason.head]: samplingStats.keptHead,
  [SamplingReason.parent]: samplingStats.keptParent,
  [SamplingReason.error]: samplingStats.keptError,
  [SamplingReason.slow]: samplingStats.keptSlow,
  [SamplingReason.debug]: samplingStats.keptDebug,
  [SamplingReason.rare]: samplingStats.keptRare,
  [SamplingReason.retry]: samplingStats.keptRetry,
  [SamplingReason.upgrade]: samplingStats.keptUpgrade,
};

const droppedStats: Readonly<Record<DropReason, number>> = {
  probability: samplingStats.droppedProbability,
  budget: samplingStats.droppedBudget,
  errors: samplingStats.errorsSuppressed,
  overload: samplingStats.droppedOverload,
};
