// CLOCK_MONOTONIC, which all processes of a machine have in common, so that moments of several can be compared.
// https://nodejs.org/docs/latest-v24.x/api/process.html#processhrtimetime

// performance.now() reads the same clock and counts from the start of the process.
const startedAtMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** Milliseconds, with fractions, since some moment before all processes; of a moment that performance.now() gave here. */
export function monotonicMs(performanceMs: number): number {
  return startedAtMs + performanceMs;
}
