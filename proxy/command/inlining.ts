// V8 inlines up to 460 bytes of bytecode at a call, and 920 in all, which is for code of many rarely used functions; a
// request passes through some fifty small ones. bench/micro/forward.ts: 3.27 us a request with V8's limits, 2.98 with
// these.
//
// Raised when the first configuration is served, and not by flags at the start: reading one needs wide code rather than
// deep, and compiling it beyond the limits took 2,578 ms of CPU for the first push of 10,000 clusters instead of 1,803.
// Flags at the start also make V8 refuse the compiled code in dist/, which is for the flags it was made with.

import { setFlagsFromString } from 'node:v8';

/** For functions that are compiled from now on, in all threads. */
export function raiseInliningLimits(): void {
  setFlagsFromString('--max-inlined-bytecode-size=1000');
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000');
}
