// Wall time in microseconds, to compare moments of two processes. Node's wall clock has milliseconds, and
// performance.timeOrigin drifts away from a clock that is being corrected, so that the two are aligned anew each time.

/** A change of the wall clock that was seen within this says the time exactly enough. */
const narrowMs = 0.05;
/** Of which the one seen best counts, where other processes take the processor again and again. */
const mostTicks = 10;

/** Microseconds since 1970 of a moment that performance.now() gave within the last seconds. Spins for 1 ms, up to 10. */
export function wallMicros(performanceMs: number): number {
  let best = nextTick();
  for (let ticks = 1; ticks < mostTicks && best.withinMs > narrowMs; ticks++) {
    const tick = nextTick();
    if (tick.withinMs < best.withinMs) best = tick;
  }
  return Math.round((best.aheadMs + performanceMs) * 1000);
}

/** Waits for the wall clock to change: how far it is ahead of performance.now() then, and within which time that was seen. */
function nextTick(): { readonly aheadMs: number; readonly withinMs: number } {
  let fromMs = performance.now();
  const before = Date.now();
  for (;;) {
    const askedAtMs = performance.now();
    const wallMs = Date.now();
    if (wallMs !== before) {
      const seenAtMs = performance.now();
      return { aheadMs: wallMs - seenAtMs, withinMs: seenAtMs - fromMs };
    }
    fromMs = askedAtMs;
  }
}
