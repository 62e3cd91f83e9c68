// Requests as they come to a service: Poisson arrivals of keys whose rates fall as Zipf's law says.

import type { SlottedKey } from '../../../sampler/key-table.ts';
import { poisson, type Random, randomValue } from '../trace-ids.ts';
import type { ModelSidecar, ModelWorker, Outcome } from './model-sidecar.ts';

export interface ModelKey {
  readonly service: string;
  readonly perSecond: number;
  readonly errorShare: number;
  readonly slowShare: number;
}

export function zipfKeys(count: number, perSecond: number, given: Partial<ModelKey> = {}): readonly ModelKey[] {
  const total = Array.from({ length: count }, (_, index) => 1 / (index + 1)).reduce((sum, share) => sum + share, 0);
  return Array.from({ length: count }, (_, index) => ({
    // Names of different length: it is their signature.
    service: `service-${'x'.repeat(index)}`,
    perSecond: perSecond / (index + 1) / total,
    errorShare: 0,
    slowShare: 0,
    ...given,
  }));
}

/** The keys of one sidecar's workers, ready to be asked for. */
export class Requests {
  readonly #sidecar: ModelSidecar;
  readonly #keys: readonly { readonly key: ModelKey; readonly slots: readonly SlottedKey[] }[];
  readonly #random: Random;

  constructor(sidecar: ModelSidecar, keys: readonly ModelKey[], random: Random) {
    this.#sidecar = sidecar;
    this.#random = random;
    this.#keys = keys.map((key) => ({ key, slots: sidecar.workers.map((worker) => slotted(worker, key.service)) }));
  }

  /** 100 ms of requests at `load` times their rates. */
  tick(load: number, onRequest: (key: ModelKey, outcome: Outcome, random: string) => void): void {
    const { workers } = this.#sidecar;
    for (const { key, slots } of this.#keys) {
      const count = poisson((key.perSecond * load) / 10, this.#random);
      for (let request = 0; request < count; request++) {
        const random = randomValue(this.#random);
        const worker = request % workers.length;
        const decision = workers[worker]!.decide(slots[worker]!, random);
        const outcome = this.#outcomeOf(key);
        onRequest(key, outcome, random);
        this.#sidecar.finish(slots[worker]!, random, decision, { outcome });
      }
    }
  }

  #outcomeOf({ errorShare, slowShare }: ModelKey): Outcome {
    if (errorShare + slowShare === 0) return 'fine';
    const drawn = this.#random();
    if (drawn < errorShare) return 'error';
    return drawn < errorShare + slowShare ? 'slow' : 'fine';
  }
}

export function slotted(worker: ModelWorker, service: string): SlottedKey {
  return worker.keys.keyFor({ service, route: '/', method: 'GET', headerRule: -1 });
}
