// How long to wait before a stream is opened again. Envoy's values for gRPC streams of a control plane
// (`config.core.v3.RetryPolicy` in `GrpcService.EnvoyGrpc`: 500 ms, doubled up to 30 s) and its full jitter: each wait
// is anything from nothing to the whole, so that a mesh that lost its control plane does not come back as one wave.

import type { Random } from '../../config/random.ts';

const baseMs = 500;
const maxMs = 30_000;

export class BackOff {
  readonly #random: Random;
  #limitMs = baseMs;
  #mayGoAtOnce = true;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The wait after a stream failed. */
  afterFailure(): number {
    const delayMs = this.#random() * this.#limitMs;
    this.#limitMs = Math.min(this.#limitMs * 2, maxMs);
    return delayMs;
  }

  /**
   * The wait after the control plane ended a stream without an error, as Istio does every half an hour to spread its
   * clients. It goes on at once, but not twice in short time: a server may do that to each stream.
   */
  afterCleanEnd(livedMs: number): number {
    if (livedMs >= maxMs) this.#mayGoAtOnce = true;
    if (!this.#mayGoAtOnce) return this.afterFailure();
    this.#mayGoAtOnce = false;
    return 0;
  }

  /** A response came: the next failure is a first one. */
  reset(): void {
    this.#limitMs = baseMs;
  }
}
