// Lets V8 keep the code that it has optimized while nothing is asked of a worker.
//
// Some eight seconds after a load V8 collects a quiet thread's garbage once more, to need less memory. In that collection
// it drops what it could make anew: also the shapes of objects of which none is alive, and between two requests there is
// no stream. All optimized code for them goes as well: 74 functions, which V8 then compiles once more, beside requests that are
// served without them. The first 10,000 requests after a pause of 25 s took 71, 54 and 58 us of CPU (seconds one to three, V8's
// threads included, a busy machine), and 33, 28 and 30 where such a collection is like any other.
//
// The price is the memory that it gave back, 20 MB of 90: `proxy/worker/quiet-heap.ts` does so when it is quiet for longer.

import { setFlagsFromString } from 'node:v8';

/** For collections from now on, in all threads. As a flag at the start it would make V8 refuse the compiled code in dist/. */
export function keepOptimizedCode(): void {
  setFlagsFromString('--no-memory-reducer-favors-memory');
}
