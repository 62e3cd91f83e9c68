// Everything one engine run found; the report and the goals are computed from this and from nothing else.
import type { Slot } from '../measure/measured-load.ts';
import type { PeerName } from '../peers/peer.ts';
import type { LatencyResult } from '../suite/latency.ts';
import type { MemoryResult } from '../suite/memory.ts';
import type { ScaleRow } from '../suite/scale.ts';
import type { StartResult } from '../suite/start.ts';
import type { AxisResult } from '../suite/throughput.ts';

export type EngineReport = {
  readonly machine: readonly string[];
  readonly versions: ReadonlyMap<PeerName, string>;
  // By name only: the reasons may hold paths of the machine, which do not belong into a published report.
  readonly absent: readonly PeerName[];
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly axes: readonly AxisResult[];
  // null: not asked for in this run.
  readonly latency: LatencyResult | null;
  readonly memory: MemoryResult | null;
  readonly start: StartResult | null;
  readonly scale: readonly ScaleRow[];
};

export function cpuMicrosPerRequest(slot: Slot): number {
  return ((slot.userMs + slot.systemMs) * 1000) / slot.requests;
}

// Bytes carried to the client for a second of the proxy's CPU.
export function bytesPerCpuSecond(slot: Slot): number {
  return (slot.bytes * 1000) / (slot.userMs + slot.systemMs);
}
