// Make before break: what names clusters that are about to be served waits for them, but not for long.

import type { Schedule } from '../client/discovery.ts';

/** A cluster that stays without members for longer keeps nothing else from changing. */
const maxWaitMs = 5_000;

export interface ClusterWaitOptions {
  /** Clusters that are warming and have no older state that serves. */
  readonly unserved: ReadonlySet<string>;
  readonly schedule: Schedule;
  /** The time is over. */
  readonly onOver: () => void;
}

export class ClusterWait {
  readonly #options: ClusterWaitOptions;
  #state: 'new' | 'waiting' | 'over' = 'new';
  #stop: () => void = () => undefined;

  constructor(options: ClusterWaitOptions) {
    this.#options = options;
  }

  /** The clock starts when it is asked first and has to wait. A cluster that exists nowhere is not waited for. */
  isOver(references: ReadonlySet<string>): boolean {
    if (this.#state === 'over' || !haveCommon(references, this.#options.unserved)) return true;
    if (this.#state === 'new') {
      this.#state = 'waiting';
      this.#stop = this.#options.schedule(maxWaitMs, () => {
        this.#state = 'over';
        this.#options.onOver();
      });
    }
    return false;
  }

  stop(): void {
    this.#stop();
  }
}

function haveCommon(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  const [small, large] = one.size < other.size ? [one, other] : [other, one];
  for (const name of small) if (large.has(name)) return true;
  return false;
}
