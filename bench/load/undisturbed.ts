// The paced client on a watched machine: p99 of those requests that the host did not hold up, beside that of all.
import { type HostPauses, watchingHost } from '../measure/host-pauses.ts';
import { LOAD_CORE, PROXY_CORE } from '../peers/pinned-process.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import type { PacedOptions, PacedOutcome } from './paced-load.ts';
import { runPacedClient } from './run-paced-client.ts';

export type WatchedOutcome = PacedOutcome & {
  readonly undisturbed: { readonly requests: number; readonly p99Micros: number };
};

export async function runWatchedClient(options: PacedOptions): Promise<WatchedOutcome> {
  const { result, pauses } = await watchingHost([PROXY_CORE, LOAD_CORE], () =>
    runPacedClient({ ...options, keepsTimes: true }, 'other'),
  );
  return undisturbedOf(result, pauses);
}

/** Throws when all requests were held up: there is nothing to be said of such a run. */
export function undisturbedOf({ times, ...outcome }: PacedOutcome, pauses: HostPauses): WatchedOutcome {
  const latencies = new LatencyHistogram();
  for (const [index, fromMs] of times!.dueMs.entries()) {
    const toMs = times!.answeredMs[index]!;
    if (!pauses.disturbed({ fromMs, toMs })) latencies.record(Math.max(0, toMs - fromMs) * 1_000);
  }
  if (latencies.total === 0) throw new Error('the host held up every request: run again when it is quieter');
  return { ...outcome, undisturbed: { requests: latencies.total, p99Micros: latencies.quantile(0.99) } };
}
