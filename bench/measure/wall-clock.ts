// Wall time in microseconds, to compare moments of two processes. Node's wall clock has milliseconds, and
// performance.timeOrigin drifts away from a clock that is being corrected, so that the two are aligned anew each time.

// Microseconds since 1970 of a moment that performance.now() gave within the last seconds. Spins for up to 1 ms.
export function wallMicros(performanceMs: number): number {
  const before = Date.now();
  let wallMs = before;
  while (wallMs === before) wallMs = Date.now();
  return Math.round((wallMs - performance.now() + performanceMs) * 1000);
}
