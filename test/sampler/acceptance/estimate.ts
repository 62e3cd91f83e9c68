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
  /** How many standard deviations the mean error is from 0. */
  readonly sigmas: number;
  /** The standard deviation of one run's estimate over its truth. */
  readonly spread: number;
}

/**
 * Whether chance explains it: of each thousand verdicts of an unbiased estimator three are beyond 3 sigma, hence one of a
 * hundred may be, but none beyond 4.5.
 */
export function isUnbiased(verdicts: readonly Verdict[]): boolean {
  const beyond = verdicts.filter(({ sigmas }) => !(Math.abs(sigmas) <= 3));
  return beyond.length <= Math.ceil(verdicts.length / 100) && verdicts.every(({ sigmas }) => Math.abs(sigmas) <= 4.5);
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
    sigmas: isExact ? 0 : mean / sigma,
    spread: (Math.sqrt(variance) * runs.length) / truth,
  };
}
