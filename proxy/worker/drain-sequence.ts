// A graceful drain of listeners: clients are asked to leave over the drain time. New ones are accepted all the while;
// whoever asked for the drain ends that.
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
}

export interface DrainSequenceOptions {
  readonly timers: TimerWheel;
  readonly strategy: 'gradual' | 'immediate';
  readonly drainTimeMs: number;
  readonly listeners: readonly DrainedListener[];
}

/** Begins at once. */
export function startDrainSequence({ timers, strategy, drainTimeMs, listeners }: DrainSequenceOptions): void {
  let steps = 0;
  const step = (): void => {
    // Of those that are still there, the share that makes the departed grow linearly.
    const probability = 1 / (stepCount - steps);
    steps++;
    const isLast = steps === stepCount;
    for (const listener of listeners) {
      if (isLast) listener.drain();
      else if (strategy === 'gradual') listener.drainSome(probability);
    }
    if (!isLast) timers.schedule(timer, drainTimeMs / stepCount);
  };
  const timer = new Timer(step);
  if (strategy === 'immediate') for (const listener of listeners) listener.drain();
  timers.schedule(timer, drainTimeMs / stepCount);
}

const stepCount = 20;
