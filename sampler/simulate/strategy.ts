// What a way to sample has to do in a simulation. It sees what sidecars and collectors see, when they see it: a request when
// it arrives, which is when its headers must go on, and again when its outcome is known.

import type { SimulatedRequest } from './simulated-request.ts';

export interface Strategy {
  /** In the order of time, as are all calls. */
  onArrival(request: SimulatedRequest): void;
  onEnd(request: SimulatedRequest): void;
  /** Every `tickMs` of the simulated time. */
  onTick(nowMs: number): void;
  /** Nothing more comes: what waits is decided. */
  onClose(nowMs: number): void;
  /** The most spans that were held for a decision at one time, in all places together. */
  readonly mostHeld: number;
  /** Spans that left the sidecars. */
  readonly spansSent: number;
}

export const tickMs = 100;

export type Keep = (kept: KeptRequest) => void;

export interface KeptRequest {
  readonly request: SimulatedRequest;
  /** When it was decided. */
  readonly atMs: number;
  /**
   * How many requests it stands for, itself among them: one over the probability with which it was kept. 0 for one that
   * is kept for show, and of which nothing can be counted.
   */
  readonly weight: number;
}
