// What a simulation is about: requests as the sidecars of the called services see them, and the traces they belong to.

import { randomOf } from '../threshold.ts';

/** Requests of one trace share one object, by which a strategy finds again what it decided. */
export interface SimulatedTrace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The last 14 of them, in lower case: what consistent sampling compares with thresholds. */
  readonly random: string;
}

export interface SimulatedRequest {
  /** Milliseconds since the simulation began. */
  readonly atMs: number;
  readonly service: string;
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly durationMs: number;
  readonly trace: SimulatedTrace;
}

/** `id` in lower case. */
export function simulatedTrace(id: string): SimulatedTrace {
  return { id, random: randomOf(id) };
}

export function isError({ status }: SimulatedRequest): boolean {
  return status >= 500;
}
