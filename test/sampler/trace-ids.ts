// Random trace ids from a seed, so that a statistical test that fails can be run again as it was.

export type Random = () => number;

/** Uniform in [0, 1): xoshiro128**, whose low bits are as good as its high ones (xorshift and congruences have not that). */
export function seededRandom(seed: number): Random {
  const state = new Uint32Array(4);
  for (let index = 0; index < 4; index++) state[index] = scrambled(seed + (index + 1) * 0x9e3779b9);
  return () => {
    const result = Math.imul(rotated(Math.imul(state[1]!, 5), 7), 9) >>> 0;
    const shifted = state[1]! << 9;
    state[2]! ^= state[0]!;
    state[3]! ^= state[1]!;
    state[1]! ^= state[2]!;
    state[0]! ^= state[3]!;
    state[2]! ^= shifted;
    state[3] = rotated(state[3]!, 11);
    return result / 2 ** 32;
  };
}

/** R: 14 lower-case hex digits. */
export function randomValue(random: Random): string {
  const high = Math.floor(random() * 2 ** 28);
  const low = Math.floor(random() * 2 ** 28);
  return fourDigits[high >>> 12]! + threeDigits[high & 0xfff]! + fourDigits[low >>> 12]! + threeDigits[low & 0xfff]!;
}

// Writing each number anew is most of the time of a test with millions of ids.
const threeDigits = Array.from({ length: 16 ** 3 }, (_, value) => value.toString(16).padStart(3, '0'));
const fourDigits = Array.from({ length: 16 ** 4 }, (_, value) => value.toString(16).padStart(4, '0'));

/** A number of events in a time in which `mean` are expected. */
export function poisson(mean: number, random: Random): number {
  // Halved until the product of uniforms cannot underflow: sums of Poisson numbers are Poisson.
  if (mean > 200) return poisson(mean / 2, random) + poisson(mean / 2, random);
  const limit = Math.exp(-mean);
  let events = -1;
  for (let product = 1; product > limit; product *= random()) events++;
  return events;
}

function rotated(value: number, bits: number): number {
  return ((value << bits) | (value >>> (32 - bits))) >>> 0;
}

function scrambled(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
