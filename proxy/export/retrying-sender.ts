// Hands a request to a collector's cluster, again where that helps: after the time that the collector asks for, else after a
// back-off with full jitter, so that a mesh whose collector comes back does not come as one wave. Every attempt asks anew
// where the collector is, and goes to the next of its endpoints.

import type { Random } from '../../config/random.ts';
import type { Collector } from './collector-address.ts';
import type { ExportClock, Sender, SendOutcome } from './sender.ts';
import type { AttemptResult, Transport } from './transport.ts';

export interface RetryingSenderOptions {
  readonly find: () => Collector;
  readonly transport: Transport;
  /** Of one attempt. */
  readonly timeoutMs: number;
  /** Items that the answer says were not taken. */
  readonly rejectedBy: (answer: Uint8Array) => number;
  readonly clock: ExportClock;
  readonly random: Random;
}

/** With their waits about 10 s: longer than a collector takes to start again, shorter than a full queue is worth. */
const maxAttempts = 6;
const firstWaitMs = 500;
const maxWaitMs = 5000;
/** A collector that asks for more has its requests given up meanwhile. */
const maxAskedMs = 30_000;
/** No answer silences us for longer: it may be one member's, a gateway's, or a date by a clock that is wrong. */
const maxRestMs = 5 * 60_000;

export class RetryingSender implements Sender {
  readonly #options: RetryingSenderOptions;
  readonly #ending = new AbortController();
  /** Before this the collector asked not to be called. */
  #quietUntilMs = Number.NEGATIVE_INFINITY;
  #next = 0;

  constructor(options: RetryingSenderOptions) {
    this.#options = options;
  }

  async send(request: Uint8Array): Promise<SendOutcome> {
    const { clock, random, rejectedBy } = this.#options;
    let reason = '';
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const quietMs = this.#quietUntilMs - clock.nowMs();
      if (quietMs > maxAskedMs) return { kind: 'failed', reason: `${reason || 'it'} asks for ${quietMs} ms of rest` };
      const backOffMs = attempt === 0 ? 0 : random() * Math.min(firstWaitMs * 2 ** (attempt - 1), maxWaitMs);
      await this.#wait(Math.max(quietMs, backOffMs));
      if (this.#ending.signal.aborted) return { kind: 'failed', reason: 'the process ends' };
      const result = await this.#attempt(request);
      if (result.kind === 'accepted') return { kind: 'sent', rejected: rejectedBy(result.answer) };
      if (result.kind !== 'try-again') return result;
      reason = result.reason;
      if (result.afterMs !== undefined) this.#quietUntilMs = clock.nowMs() + Math.min(result.afterMs, maxRestMs);
    }
    return { kind: 'failed', reason };
  }

  close(): void {
    this.#ending.abort();
    this.#options.transport.close();
  }

  async #attempt(
    request: Uint8Array,
  ): Promise<AttemptResult | { readonly kind: 'no-cluster'; readonly reason: string }> {
    const { find, transport, timeoutMs } = this.#options;
    const collector = find();
    if (collector.kind === 'no-cluster') return collector;
    if (collector.kind === 'unreachable') return { kind: 'try-again', reason: collector.reason };
    const { endpoints, connectTimeoutMs } = collector;
    transport.retain(endpoints);
    const endpoint = endpoints[this.#next++ % endpoints.length]!;
    const limits = { connectMs: connectTimeoutMs, answerMs: timeoutMs, signal: this.#ending.signal };
    return transport.attempt(endpoint, request, limits);
  }

  #wait(delayMs: number): Promise<void> {
    const { signal } = this.#ending;
    if (delayMs <= 0 || signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const finish = (): void => {
      stop();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const stop = this.#options.clock.schedule(delayMs, finish);
    signal.addEventListener('abort', finish, { once: true });
    return promise;
  }
}
