// Which rounds count. While the hypervisor gives a core to somebody else, a round says less about the proxies; but on a
// crowded host every round is disturbed a little, and a table of dashes says nothing. So a disturbed round is repeated,
// and of all rounds the quietest count. Decided by steal alone, before anybody looks at the figures, and for all peers
// at once: what stays is a comparison of like with like.

/** A round with more of this on either core is repeated. */
export const MOST_STEAL_SHARE = 0.01;

export type RoundSelection<Round> = {
  readonly rounds: readonly Round[];
  readonly discarded: number;
  /** Of the rounds that count; 0 when there is none. */
  readonly mostStealShare: number;
};

export class QuietRounds<Round> {
  readonly #wanted: number;
  readonly #all: { readonly round: Round; readonly stealShare: number }[] = [];

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  /** Enough are quiet, or as many were repeated as were wanted. */
  get isComplete(): boolean {
    const quiet = this.#all.filter(({ stealShare }) => stealShare <= MOST_STEAL_SHARE).length;
    return quiet >= this.#wanted || this.#all.length >= 2 * this.#wanted;
  }

  add(round: Round, stealShare: number): void {
    this.#all.push({ round, stealShare });
  }

  select(): RoundSelection<Round> {
    const quietest = this.#all.toSorted((one, other) => one.stealShare - other.stealShare).slice(0, this.#wanted);
    return {
      rounds: this.#all.filter((one) => quietest.includes(one)).map(({ round }) => round),
      discarded: this.#all.length - quietest.length,
      mostStealShare: Math.max(0, ...quietest.map(({ stealShare }) => stealShare)),
    };
  }
}
