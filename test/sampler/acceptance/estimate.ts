// Compares, over many runs, what happened with what the kept records say happened.

import { adjustedCount, type Threshold } from '../../../sampler/threshold.ts';

/** By name: the truth of each run and its estimate. */
export class Estimates {
  readonly #runs = new Map<string, { truth: number; estimate: number }[]>();
  #run = -1;

  beginRun(): void {
    this.#run++;
  }

  happened(name: string, count = 1): void {
    this.#of(name).truth += count;
  }

  /** A record whose chance is not known stands for nothing. */
  kept(name: string, threshold: Threshold | null): void {
    if (threshold !== null) this.#of(name).estimate += adjustedCount(threshold);
  }

  /** Sorted by how far each is off, in standard deviations of the mean of all runs. */
  verdicts(): readonly Verdict[] {
    return [...this.#runs]
      .map(([name, runs]) => verdictOf(name, runs))
      .sort((a, b) => Math.abs(b.sigmas) - Math.abs(a.sigmas));
  }

  #of(name: string): { truth: number; estimate: number } {
    let runs = this.#runs.get(name);
    if (runs === undefined) {
      runs = [];
      this.#runs.set(name, runs);
    }
    while (runs.length <= this.#run) runs.push({ truth: 0, estimate: 0 });
    return runs[this.#run]!;
  }
}

export interface Verdict {
  readonly name: string;
  /** Of all runs. */
  readonly truth: number;
  readonly estimate: number;
  /** How many standard deviations the mean error is from 0, as a normal number that is as rare. */
  readonly sigmas: number;
  /** The standard deviation of one run's estimate over its truth. */
  readonly spread: number;
}

/**
 * Whether chance explains it. An unbiased estimator fails here less than once in a million times, whatever the seeds: no
 * verdict may be beyond `furthestSigmas` of the normal distribution (one of 50 is in 2 of 10,000,000 cases), and beyond
 * 3 sigma, where 27 of 10,000 are, no more than so many as more would be as rare. Verdicts of one run share the cap's threshold, by
 * which a part of them strays together: who is off by that is caught by the verdict about all of them, which strays less.
 */
export function isUnbiased(verdicts: readonly Pick<Verdict, 'sigmas'>[]): boolean {
  const beyond = verdicts.filter(({ sigmas }) => !(Math.abs(sigmas) <= 3));
  return (
    beyond.length <= mostBeyond(verdicts.length) && verdicts.every(({ sigmas }) => Math.abs(sigmas) <= furthestSigmas)
  );
}

const furthestSigmas = 6;
const beyondThree = 0.0027;
const rarity = 1e-6;

/** The least number that a binomial one passes with a chance below `rarity`. */
function mostBeyond(count: number): number {
  let chance = (1 - beyondThree) ** count;
  let above = 1 - chance;
  for (let number = 0; ; number++) {
    if (above < rarity || number === count) return number;
    chance *= ((count - number) / (number + 1)) * (beyondThree / (1 - beyondThree));
    above -= chance;
  }
}

/**
 * A mean over a standard deviation that was estimated from `runs` of it is spread wider than a normal number: this is the
 * normal one that is as rare (Wallace 1959).
 */
function normalOf(t: number, runs: number): number {
  const freedom = Math.max(1, runs - 1);
  const size = Math.sqrt(freedom * Math.log1p((t * t) / freedom)) * (1 - 2 / (8 * freedom + 3));
  return Math.sign(t) * size;
}

export function verdictText({ name, truth, estimate, sigmas, spread }: Verdict): string {
  const off = ((100 * (estimate - truth)) / truth).toFixed(2);
  return `${name}: ${truth} happened, ${estimate.toFixed(0)} estimated, ${off} % off, ${sigmas.toFixed(1)} sigma (one run: ${(100 * spread).toFixed(0)} %)`;
}

function verdictOf(name: string, runs: readonly { truth: number; estimate: number }[]): Verdict {
  const truth = runs.reduce((sum, run) => sum + run.truth, 0);
  const estimate = runs.reduce((sum, run) => sum + run.estimate, 0);
  const mean = (estimate - truth) / runs.length;
  const variance =
    runs.reduce((sum, run) => sum + (run.estimate - run.truth - mean) ** 2, 0) / Math.max(1, runs.length - 1);
  const sigma = Math.sqrt(variance / runs.length);
  // Estimates of doubles: what is kept whole is exact but for rounding.
  const isExact = Math.abs(mean) < 1e-6 * Math.max(1, truth);
  return {
    name,
    truth,
    estimate,
    sigmas: isExact ? 0 : normalOf(mean / sigma, runs.length),
    spread: (Math.sqrt(variance) * runs.length) / truth,
  };
}
