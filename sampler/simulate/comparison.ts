// One workload, seen by every strategy at once.

import type { SamplingSettings } from '../settings.ts';
import { HeadSampling } from './head-sampling.ts';
import { OutriggerSampling } from './outrigger-sampling.ts';
import { replay } from './replay.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import type { Keep, Strategy } from './strategy.ts';
import { heldSpanBytes, TailSampling } from './tail-sampling.ts';
import { type Result, Tally } from './tally.ts';
import { TokenBucket } from './token-bucket.ts';
import { type Truth, truthOf } from './truth.ts';

export interface Comparison {
  readonly truth: Truth;
  readonly strategies: readonly Compared[];
  readonly settings: SamplingSettings;
}

export interface Compared extends Result {
  readonly name: string;
  readonly spansSent: number;
  /** Bytes that wait for decisions when most do, in all places together. */
  readonly mostHeldBytes: number;
}

/** Where nothing says what slow is. */
const usualSlowMs = 1000;

/** `requests` in order of arrival, at least one. */
export function compare(requests: readonly SimulatedRequest[], settings: SamplingSettings): Comparison {
  const truth = truthOf(requests);
  const { tracesPerSecond } = settings.budget;
  const slowMs = settings.slow?.overMs ?? usualSlowMs;
  const contestants = [
    contestant('outrigger', (keep) => new OutriggerSampling(settings, keep)),
    contestant('head 1 %', (keep) => new HeadSampling(keep)),
    contestant(`token bucket ${tracesPerSecond}/s`, (keep) => new TokenBucket(tracesPerSecond, keep)),
    contestant('tail', (keep) => new TailSampling({ slowMs }, keep)),
  ];
  replay(
    requests,
    contestants.map(({ strategy }) => strategy),
  );
  const strategies = contestants.map(({ name, strategy, tally }) => ({
    name,
    ...tally.result(truth),
    spansSent: strategy.spansSent,
    mostHeldBytes: strategy.mostHeld * heldSpanBytes,
  }));
  return { truth, strategies, settings };
}

function contestant(name: string, make: (keep: Keep) => Strategy) {
  const tally = new Tally();
  return { name, tally, strategy: make((kept) => tally.add(kept)) };
}
