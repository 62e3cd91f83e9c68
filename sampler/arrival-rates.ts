// How often each slot's key arrives: an average that forgets half of the past in a second, for rare keys in the time of ten
// arrivals, because an average of nothing but noise would keep what comes once in ten seconds every time.
//
// It gives up the past at once when what arrives no longer looks like it: a rate that falls to a tenth would otherwise
// take four seconds to be believed. What arrived in the last minute is known beside it, for who counts by the minute.

export class ArrivalRates {
  /** A second, estimated when the last window closed; NaN for a key whose first window is open. */
  readonly perSecond: Float64Array;
  readonly #counts: Float64Array;
  /** 1: the estimate is from a window in part of which the rate was another, so that the next one knows better. */
  readonly #isMixed: Uint8Array;
  /** Arrivals of the minute that runs, as far as its windows have closed, and of the one before. */
  readonly #thisMinute: Float64Array;
  readonly #lastMinute: Float64Array;
  #secondsOfMinute = 0;

  constructor(slots: number) {
    this.#isMixed = new Uint8Array(slots);
    this.perSecond = new Float64Array(slots).fill(Number.NaN);
    this.#counts = new Float64Array(slots);
    this.#thisMinute = new Float64Array(slots);
    this.#lastMinute = new Float64Array(slots);
  }

  add(slot: number, arrivals: number): void {
    this.#counts[slot]! += arrivals;
  }

  /** A slot has another key, of which nothing is known. */
  restart(slot: number): void {
    this.perSecond[slot] = Number.NaN;
    this.#counts[slot] = 0;
    this.#isMixed[slot] = 0;
    this.#thisMinute[slot] = 0;
    this.#lastMinute[slot] = 0;
  }

  /**
   * By which a floor a minute is given: `perSecond`, but where far more came in the last minute, that. Load that pauses for a
   * second would be kept whole whenever it comes again, until the next window: of 2 s on and 2 s off at 16,667 a second
   * 5.3 % were kept, where rules asked for 3.7 %.
   */
  perSecondOfMinute(slot: number): number {
    const perSecond = this.perSecond[slot]!;
    const arrivals = this.#thisMinute[slot]! + this.#lastMinute[slot]! * (1 - this.#secondsOfMinute / secondsInMinute);
    return arrivals > mostWithin(perSecond * secondsInMinute) ? arrivals / secondsInMinute : perSecond;
  }

  /** Whether a key has had more than twice the arrivals of a whole second already. */
  hasBurst(): boolean {
    for (let slot = 0; slot < this.#counts.length; slot++) {
      const forecast = this.perSecond[slot]!;
      if (this.#counts[slot]! > mostWithin(Number.isNaN(forecast) ? 0 : forecast)) return true;
    }
    return false;
  }

  close(elapsedMs: number): void {
    const seconds = elapsedMs / 1000;
    this.#secondsOfMinute += seconds;
    const isNextMinute = this.#secondsOfMinute >= secondsInMinute;
    if (isNextMinute) this.#secondsOfMinute = 0;
    for (let slot = 0; slot < this.#counts.length; slot++) {
      this.#closeOf(slot, seconds);
      this.#thisMinute[slot]! += this.#counts[slot]!;
      this.#counts[slot] = 0;
      if (!isNextMinute) continue;
      this.#lastMinute[slot] = this.#thisMinute[slot]!;
      this.#thisMinute[slot] = 0;
    }
  }

  /** The window's length is not known: what arrived in it says nothing. */
  discard(): void {
    this.#counts.fill(0);
  }

  #closeOf(slot: number, seconds: number): void {
    const before = this.perSecond[slot]!;
    const count = this.#counts[slot]!;
    const isUnknown = Number.isNaN(before);
    if (isUnknown && count === 0) return;
    if (isUnknown || isSurprise(count, before * seconds)) {
      this.perSecond[slot] = count / seconds;
      this.#isMixed[slot] = 1;
    } else if (this.#isMixed[slot] === 1 && count >= enoughArrivals) {
      this.perSecond[slot] = count / seconds;
      this.#isMixed[slot] = 0;
    } else {
      const halfLife = Math.min(Math.max(1, rememberedArrivals / before), longestHalfLife);
      const kept = 0.5 ** (seconds / halfLife);
      this.perSecond[slot] = kept * before + (1 - kept) * (count / seconds);
    }
  }
}

const rememberedArrivals = 10;
/** Seconds: as long as what the floor is counted over. */
const longestHalfLife = 60;
const secondsInMinute = 60;
/** So many tell a rate well enough to forget an estimate that is mixed. */
const enoughArrivals = 100;

/** Twice as many as expected and more than four standard deviations above, so that chance alone is no burst. */
function mostWithin(expected: number): number {
  return 2 * expected + 4 * Math.sqrt(expected) + 8;
}

function isSurprise(count: number, expected: number): boolean {
  return count > mostWithin(expected) || expected > mostWithin(count);
}
