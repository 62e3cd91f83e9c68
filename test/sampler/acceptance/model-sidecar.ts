// A proxy as far as sampling goes: workers that count and decide by slots, and a main thread that shares the budget every
// 100 ms and closes a window every second. Time is what the test says.

import { type CappedRecord, ExportCap, type KeptRecord, type OfferedReason } from '../../../sampler/export-cap.ts';
import { KeyTable, otherKey, type SamplingKey, type SlottedKey } from '../../../sampler/key-table.ts';
import { RootRates } from '../../../sampler/root-rates.ts';
import type { SamplingSettings } from '../../../sampler/settings.ts';
import { always, isKept, type Threshold } from '../../../sampler/threshold.ts';

export interface HeadDecision {
  readonly threshold: Threshold;
  readonly isKept: boolean;
}

/** What became of a request, beside its head decision. */
export type Outcome = 'fine' | 'error' | 'slow';

export interface ModelRecord extends CappedRecord {
  readonly outcome: Outcome;
}

export class ModelSidecar {
  readonly rates: RootRates;
  readonly workers: readonly ModelWorker[];
  readonly #cap: ExportCap<ModelRecord>;
  readonly #settings: SamplingSettings;
  readonly #onWindow: (kept: readonly KeptRecord<ModelRecord>[]) => void;
  #ticks = 0;

  constructor(settings: SamplingSettings, onWindow: (kept: readonly KeptRecord<ModelRecord>[]) => void, workers = 2) {
    this.#settings = settings;
    this.#onWindow = onWindow;
    this.rates = new RootRates(settings);
    this.#cap = new ExportCap<ModelRecord>(settings);
    this.workers = Array.from({ length: workers }, () => new ModelWorker(this.rates));
  }

  /** A request is over. Nothing is made of those that nobody keeps, nor of those that are below what is reached. */
  finish(
    key: SamplingKey,
    random: string,
    decision: HeadDecision,
    given: { outcome?: Outcome; isParents?: boolean } = {},
  ): void {
    const { outcome = 'fine', isParents = false } = given;
    const headReason = isParents ? 'parent' : 'head';
    const reason: OfferedReason = outcome === 'fine' ? headReason : outcome;
    if (outcome === 'fine' && (!decision.isKept || !isKept(random, this.#cap.reached('head')))) return;
    this.#cap.offer({
      random,
      threshold: decision.threshold,
      headKept: decision.isKept,
      reason,
      key: key.service,
      signature: key.service.length,
      sizeBytes: 500,
      outcome,
    });
  }

  /** 100 ms are over, at a time that a clock says. */
  tick(nowMs: number): void {
    for (const worker of this.workers) worker.report();
    if (this.rates.step(nowMs)) for (const worker of this.workers) worker.setThresholds();
    this.#ticks++;
    if (this.#ticks % 10 !== 0) return;
    for (const worker of this.workers) worker.keys.age(nowMs);
    this.#cap.configure(this.#settings, this.rates.tracesPerSecond);
    this.#onWindow(this.#cap.close(nowMs).kept);
  }
}

/** Counters and thresholds by slot, as they lie in shared memory. */
export class ModelWorker {
  readonly keys: KeyTable;
  readonly #rates: RootRates;
  readonly #arrivals: Float64Array;
  readonly #thresholds: Threshold[];
  /** The main thread's keys by slot. */
  readonly #announced: (SlottedKey | null)[];

  constructor(rates: RootRates) {
    this.#rates = rates;
    this.keys = new KeyTable({ onOwner: (slot, key) => this.#announce(slot, key) });
    this.#arrivals = new Float64Array(this.keys.slots);
    this.#thresholds = new Array<Threshold>(this.keys.slots).fill(always);
    this.#announced = new Array<SlottedKey | null>(this.keys.slots).fill(null);
    this.#announced[0] = rates.keyFor(otherKey);
  }

  decide(key: SlottedKey, random: string): HeadDecision {
    const slot = this.keys.slotFor(key);
    this.#arrivals[slot]! += 1;
    const threshold = this.#thresholds[slot]!;
    return { threshold, isKept: isKept(random, threshold) };
  }

  report(): void {
    for (let slot = 0; slot < this.#arrivals.length; slot++) {
      const key = this.#announced[slot]!;
      if (key !== null && this.#arrivals[slot]! > 0) this.#rates.arrived(key, this.#arrivals[slot]!);
      this.#arrivals[slot] = 0;
    }
  }

  setThresholds(): void {
    for (let slot = 0; slot < this.#thresholds.length; slot++) {
      const key = this.#announced[slot]!;
      if (key !== null) this.#thresholds[slot] = this.#rates.thresholdOf(key);
    }
  }

  #announce(slot: number, key: SamplingKey | null): void {
    this.#announced[slot] = key === null ? null : this.#rates.keyFor(key);
    this.#thresholds[slot] = always;
  }
}
