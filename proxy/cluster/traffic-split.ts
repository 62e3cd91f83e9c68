// The levels above the endpoints: which share of the traffic (priority and health), then which locality.
// A cluster with one share and no locality weights has neither level.

import type { Random } from '../../config/random.ts';
import type { Balancer, ChooseContext } from './balancer.ts';
import type { EndpointRuntime } from './endpoint-runtime.ts';
import { WeightedSchedule } from './weighted-schedule.ts';

/** Chooses a branch by chance, in percent. */
export class PercentSplit implements Balancer {
  readonly #branches: readonly Balancer[];
  /** Upper bound of each branch, the last is 100. */
  readonly #bounds: Float64Array;

  /** `percents` sum up to 100. */
  constructor(branches: readonly Balancer[], percents: readonly number[]) {
    this.#branches = branches;
    let bound = 0;
    this.#bounds = Float64Array.from(percents, (percent) => {
      bound += percent;
      return bound;
    });
  }

  choose(context: ChooseContext): EndpointRuntime | null {
    const drawn = context.random() * 100;
    const last = this.#branches.length - 1;
    let branch = 0;
    while (branch < last && drawn >= this.#bounds[branch]!) branch++;
    return this.#branches[branch]!.choose(context);
  }
}

/** Takes branches in turn, as often as their weights say. */
export class WeightedSplit implements Balancer {
  readonly #branches: readonly Balancer[];
  readonly #weights: Float64Array;
  readonly #schedule: WeightedSchedule;

  /** `weights` are above 0. */
  constructor(branches: readonly Balancer[], weights: readonly number[], random: Random) {
    this.#branches = branches;
    this.#weights = Float64Array.from(weights);
    this.#schedule = new WeightedSchedule(this.#weights);
    const start = Math.floor(random() * branches.length);
    for (let skipped = 0; skipped < start; skipped++) this.#nextBranch();
  }

  choose(context: ChooseContext): EndpointRuntime | null {
    return this.#branches[this.#nextBranch()]!.choose(context);
  }

  #nextBranch(): number {
    const next = this.#schedule.next;
    this.#schedule.reschedule(this.#weights[next]!);
    return next;
  }
}
