// Shares a budget among keys that want more than it: each gets of the water by its weight and rate, until it has what it
// wanted; what it leaves rises for the others.

export interface Share {
  /** Arrivals a second, above 0. */
  readonly arrivalsPerSecond: number;
  readonly weight: number;
  /** The highest probability that it wants. */
  readonly wanted: number;
  /** The lowest probability, whatever the budget; it may be above `wanted`. */
  readonly floor: number;
}

/**
 * The probability of each share: `clamp(level x weight x rate^(exponent - 1), floor, wanted)` with the highest level by which
 * not more than `budget` a second are kept. Floors are given even when they alone are more than that.
 */
export function waterFill(shares: readonly Share[], budget: number, exponent: number): Float64Array {
  const slopes = Float64Array.from(
    shares,
    ({ weight, arrivalsPerSecond }) => weight * arrivalsPerSecond ** (exponent - 1),
  );
  const probabilities = new Float64Array(shares.length);
  const fillTo = (level: number) => {
    let kept = 0;
    for (let index = 0; index < shares.length; index++) {
      const { arrivalsPerSecond, wanted, floor } = shares[index]!;
      // A weight of 0 gets nothing of any level, an endless one among them.
      const filled = slopes[index]! > 0 ? Math.min(wanted, level * slopes[index]!) : 0;
      probabilities[index] = Math.max(floor, level === Number.POSITIVE_INFINITY ? wanted : filled);
      kept += probabilities[index]! * arrivalsPerSecond;
    }
    return kept;
  };
  if (fillTo(Number.POSITIVE_INFINITY) <= budget) return probabilities;
  fillTo(highestLevel(fillTo, slopes, budget));
  return probabilities;
}

/** Bisection: what is kept never falls when the level rises, and above 1 / the lowest slope everybody has all it wants. */
function highestLevel(keptAt: (level: number) => number, slopes: Float64Array, budget: number): number {
  const positive = slopes.filter((slope) => slope > 0);
  const enough = positive.reduce((level, slope) => Math.max(level, 1 / slope), 1);
  let low = 0;
  // From where the first is full upwards: a slope next to nothing must not spend the precision of the others.
  let high = positive.reduce((level, slope) => Math.min(level, 1 / slope), enough);
  while (keptAt(high) <= budget) {
    if (high >= enough) return high;
    low = high;
    high = Math.min(high * 2, enough);
  }
  for (let halving = 0; halving < halvings; halving++) {
    const middle = (low + high) / 2;
    if (keptAt(middle) <= budget) low = middle;
    else high = middle;
  }
  return low;
}

/** The level may be a factor of 10^12 (2^40) below where the first is full; the rest is precision. */
const halvings = 80;
