// Time for a reactor whose clients and origins are on its own thread: what passes while the thread stands still, since the
// machine has other work or none at all, does not pass for it. So a limit of 40 ms is one of 40 ms in which the peer could
// have done something, and a test that meets one by chance has found a fault.

/** The most that counts between two readings. Nobody waits so long for the next one as the thread runs. */
const LONGEST_STEP_MS = 2;

let readAtMs = performance.now();
let passedMs = readAtMs;
let isTicking = false;

/** Monotonic, in milliseconds, as `performance.now`, and never faster. */
export function threadNowMs(): number {
  // A reactor on Node's loop reads the time only where a timer of its own is due.
  if (!isTicking) setInterval(threadNowMs, 1).unref();
  isTicking = true;
  const nowMs = performance.now();
  passedMs += Math.min(nowMs - readAtMs, LONGEST_STEP_MS);
  readAtMs = nowMs;
  return passedMs;
}
