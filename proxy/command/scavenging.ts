// V8 collects a young generation with the thread that it belongs to and four helpers. Ours has 8 MiB of which little is alive:
// waking helpers, which then look for work at one another, takes more than they give. A program that keeps much of what it
// makes: 432 ms of its own CPU and 816 of helpers, 318 and 110 with this. One changed endpoint to the first request on it, in
// turn on one core that helpers share: the median was lower in 7 of 8 turns of 100 changes, 7.2 beside 7.8 ms of all in the last four.
//
// Set when the first configuration is served, for the reason that inlining.ts gives: flags at the start make V8 refuse the
// compiled code in dist/.

import { setFlagsFromString } from 'node:v8';

/** From now on, in all threads. */
export function scavengeAlone(): void {
  setFlagsFromString('--no-parallel-scavenge');
}
