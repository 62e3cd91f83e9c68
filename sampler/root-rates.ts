// Stage 1: which share of the traces that begin here is kept, by key. A prediction from the rates of the last second;
// `export-cap.ts` holds the budget exactly when it was wrong.
//
// p = clamp(level x weight x rate^(exponent - 1), floor, wanted): as long as everything wanted fits into the budget, p is
// what the rules say. A new key is kept whole until its first window closes: nothing is known of it, and what is seen the
// first time is worth most.

import { ArrivalRates } from './arrival-rates.ts';
import { KeyTable, maxKeys, otherSlot, type SamplingKey, type SlottedKey } from './key-table.ts';
import { RuleTable } from './rules.ts';
import type { SamplingSettings } from './settings.ts';
import { always, never, type Threshold, thresholdOf } from './threshold.ts';
import { type Share, waterFill } from './water-filling.ts';

export interface RootRate {
  readonly key: SamplingKey;
  /** Undefined while its first window is open. */
  readonly arrivalsPerSecond: number | undefined;
  readonly probability: number;
  readonly threshold: Threshold;
}

export class RootRates {
  readonly #keys: KeyTable;
  readonly #arrivals: ArrivalRates;
  readonly #probabilities: Float64Array;
  readonly #thresholds: Threshold[];
  #settings: SamplingSettings;
  #rules: RuleTable;
  #replicas: number | undefined;
  #windowMs = 0;
  #steppedAtMs: number | undefined;

  constructor(settings: SamplingSettings, slots: number = maxKeys) {
    this.#settings = settings;
    this.#rules = new RuleTable(settings.rules);
    this.#arrivals = new ArrivalRates(slots);
    this.#probabilities = new Float64Array(slots);
    this.#thresholds = new Array<Threshold>(slots).fill(always);
    this.#keys = new KeyTable({ slots, onOwner: (slot) => this.#restart(slot) });
    this.#restart(otherSlot);
  }

  /** Rates stay known; thresholds change at once. */
  configure(settings: SamplingSettings): void {
    this.#settings = settings;
    this.#rules = new RuleTable(settings.rules);
    this.#share();
  }

  /** To be kept by the caller, one for each key and source of counts. */
  keyFor(key: SamplingKey): SlottedKey {
    return this.#keys.keyFor(key);
  }

  /** Requests of a key whose decision was ours, since it was last told. */
  arrived(key: SlottedKey, arrivals: number): void {
    if (arrivals > 0) this.#arrivals.add(this.#keys.slotFor(key, arrivals), arrivals);
  }

  /**
   * To be called every second, and more often while rates are not known or may jump. True when thresholds have changed: when a second is over, or at once in a burst.
   * `replicas` counts this instance; it matters for a budget of the whole service.
   */
  step(nowMs: number, replicas = 1): boolean {
    const elapsedMs = nowMs - (this.#steppedAtMs ?? Number.NaN);
    this.#steppedAtMs = nowMs;
    this.#replicas ??= Math.max(1, replicas);
    // The first step, or a clock that was set: for how long it was counted is not known.
    if (!(elapsedMs >= 0 && elapsedMs <= longestStepMs)) {
      this.#arrivals.discard();
      this.#windowMs = 0;
      return false;
    }
    this.#windowMs += elapsedMs;
    if (this.#windowMs === 0 || (this.#windowMs < windowMs - earlyMs && !this.#arrivals.hasBurst())) return false;
    this.#arrivals.close(this.#windowMs);
    // Half of the way a second: replicas that come and go in a deployment do not make the budget jump.
    this.#replicas += (Math.max(1, replicas) - this.#replicas) * (1 - 0.5 ** (this.#windowMs / 1000));
    this.#windowMs = 0;
    this.#keys.age(nowMs);
    this.#share();
    return true;
  }

  thresholdOf(key: SlottedKey): Threshold {
    return this.#thresholds[this.#keys.slotOf(key)]!;
  }

  /** Of this instance, for stage 2 too. */
  get tracesPerSecond(): number {
    const { scope, tracesPerSecond } = this.#settings.budget;
    return scope === 'service' ? tracesPerSecond / (this.#replicas ?? 1) : tracesPerSecond;
  }

  /** Every key that has a slot, for people to look at. */
  list(): readonly RootRate[] {
    const found: RootRate[] = [];
    for (let slot = 0; slot < this.#thresholds.length; slot++) {
      const key = this.#keys.ownerOf(slot);
      const perSecond = this.#arrivals.perSecond[slot]!;
      if (key === null || (slot === otherSlot && Number.isNaN(perSecond))) continue;
      found.push({
        key,
        arrivalsPerSecond: Number.isNaN(perSecond) ? undefined : perSecond,
        probability: this.#probabilities[slot]!,
        threshold: this.#thresholds[slot]!,
      });
    }
    return found;
  }

  /** A slot's key is new, or it has none. */
  #restart(slot: number): void {
    this.#arrivals.restart(slot);
    this.#setUnknown(slot, this.#keys.ownerOf(slot));
  }

  #share(): void {
    const slots: number[] = [];
    const shares: Share[] = [];
    for (let slot = 0; slot < this.#thresholds.length; slot++) {
      const key = this.#keys.ownerOf(slot);
      const perSecond = this.#arrivals.perSecond[slot]!;
      if (key === null || Number.isNaN(perSecond)) {
        this.#setUnknown(slot, key);
        continue;
      }
      const { rate, weight } = this.#rules.shareOf(key, this.#settings.baseRate);
      // What has not come for minutes counts as once in 11 days; nothing may be divided by 0.
      const arrivalsPerSecond = Math.max(perSecond, 1e-6);
      const floorPerSecond = this.#settings.floorPerMinute / 60;
      const ofMinute = Math.max(this.#arrivals.perSecondOfMinute(slot), 1e-6);
      const floor = rate > 0 ? Math.min(1, floorPerSecond / ofMinute) : 0;
      slots.push(slot);
      shares.push({ arrivalsPerSecond, weight, wanted: rate, floor });
    }
    const probabilities = waterFill(shares, this.tracesPerSecond, exponents[this.#settings.share]);
    for (let index = 0; index < slots.length; index++) this.#set(slots[index]!, probabilities[index]!);
  }

  /** All of it, except when a rule wants nothing of the key: then nothing of its first second either. */
  #setUnknown(slot: number, key: SamplingKey | null): void {
    const isWanted = key === null || this.#rules.shareOf(key, this.#settings.baseRate).rate > 0;
    this.#set(slot, isWanted ? 1 : 0);
  }

  #set(slot: number, probability: number): void {
    this.#probabilities[slot] = probability;
    this.#thresholds[slot] = probability > 0 ? thresholdOf(probability) : never;
  }
}

/** Of the arrival rate, in a key's share of the budget. */
const exponents = { proportional: 1, sqrt: 0.5, equal: 0 } as const;
const windowMs = 1000;
/** A caller's timer may fire early by so much. */
const earlyMs = 20;
/** A step that says it was longer, or backwards, is a clock that was set. */
const longestStepMs = 10_000;
