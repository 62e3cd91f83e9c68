// How often each slot's key arrives: an average that forgets half of the past in a second, for rare keys in the time of ten
// arrivals, because an average of nothing but noise would keep what comes once in ten seconds every time.
//
// It gives up the past at once when what arrives no longer looks like it: a rate that falls to a tenth would otherwise
// take four seconds to be believed.

export class ArrivalRates {
  /** A second, estimated when the last window closed; NaN for a key whose first window is open. */
  readonly perSecond: Float64Array;
  readonly #counts: Float64Array;
  /** 1: the estimate is from a window in part of which the rate was another, so that the next one knows better. */
  readonly #isMixed: Uint8Array;

  constructor(slots: number) {
    this.#isMixed = new Uint8Array(slots);
    this.perSecond = new Float64Array(slots).fill(Number.NaN);
    this.#counts = new Float64Array(slots);
  }

  add(slot: number, arrivals: number): void {
    this.#counts[slot]! += arrivals;
  }

  /** A slot has another key, of which nothing is known. */
  restart(slot: number): void {
    this.perSecond[slot] = Number.NaN;
    this.#counts[slot] = 0;
    this.#isMixed[slot] = 0;
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
    for (let slot = 0; slot < this.#counts.length; slot++) {
      this.#closeOf(slot, seconds);
      this.#counts[slot] = 0;
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
/** So many tell a rate well enough to forget an estimate that is mixed. */
const enoughArrivals = 100;

/** Twice as many as expected and more than four standard deviations above, so that chance alone is no burst. */
function mostWithin(expected: number): number {
  return 2 * expected + 4 * Math.sqrt(expected) + 8;
}

function isSurprise(count: number, expected: number): boolean {
  return count > mostWithin(expected) || expected > mostWithin(count);
}
