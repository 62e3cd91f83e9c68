// A graceful drain of listeners: clients are asked to leave over the drain time, then nothing is accepted any more.
//
// Envoy draws for each response whether it closes, with a chance that grows over the drain time (`gradual`), or closes
// with every one from the start (`immediate`). Here the draw is made for each connection once a step, so that a request
// pays nothing for it and idle connections leave as well.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/operations/draining

import { Timer, type TimerWheel } from '../reactor/timer-wheel.ts';

export interface DrainedListener {
  /** All HTTP connections, those to come too. */
  drain(): void;
  drainSome(probability: number): void;
  stopAccepting(): void;
}

export interface DrainSequenceOptions {
  readonly timers: TimerWheel;
  readonly strategy: 'gradual' | 'immediate';
  readonly drainTimeMs: number;
  /** What is drained; read at each step. */
  readonly listeners: () => Iterable<DrainedListener>;
}

export class DrainSequence {
  readonly #options: DrainSequenceOptions;
  readonly #timer = new Timer(() => this.#step());
  #steps = 0;

  /** Begins at once. */
  constructor(options: DrainSequenceOptions) {
    this.#options = options;
    const { drainTimeMs, listeners, strategy, timers } = options;
    if (strategy === 'immediate') for (const listener of listeners()) listener.drain();
    timers.schedule(this.#timer, drainTimeMs / stepCount);
  }

  #step(): void {
    const { drainTimeMs, listeners, strategy, timers } = this.#options;
    // Of those that are still there, the share that makes the departed grow linearly.
    const probability = 1 / (stepCount - this.#steps);
    this.#steps++;
    const isLast = this.#steps === stepCount;
    for (const listener of listeners()) {
      if (isLast) listener.stopAccepting();
      if (isLast) listener.drain();
      else if (strategy === 'gradual') listener.drainSome(probability);
    }
    if (!isLast) timers.schedule(this.#timer, drainTimeMs / stepCount);
  }
}

const stepCount = 20;
