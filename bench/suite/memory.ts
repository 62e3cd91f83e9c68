// Memory of a fresh process, idle and after load. A process of its own each time: what an earlier axis left in a heap
// would be charged to this one.
import { type Memory, readMemory } from '../measure/process-memory.ts';
import type { Peer, PeerName } from '../peers/peer.ts';
import { startPeer } from '../peers/running-peer.ts';
import { AXES } from './axes.ts';
import { runSlot } from './throughput.ts';

// The loads after which memory is read: the plain one, then many connections, then large bodies.
const LOADS = ['small', 'many', 'large'];
const SETTLE_MS = 1_000;

export type MemoryOptions = {
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly originPort: number;
  readonly log: (line: string) => void;
};

export type MemorySample = { readonly idle: Memory; readonly loaded: Memory };

export type MemoryResult = ReadonlyMap<PeerName, readonly MemorySample[]>;

export async function measureMemory(peers: readonly Peer[], options: MemoryOptions): Promise<MemoryResult> {
  const samples = new Map<PeerName, MemorySample[]>(peers.map((peer) => [peer.name, []]));
  for (let round = 0; round < options.rounds; round += 1) {
    for (const peer of peers) samples.get(peer.name)!.push(await sampleMemory(peer, options));
    options.log(`memory: round ${round + 1} of ${options.rounds}`);
  }
  return samples;
}

async function sampleMemory(peer: Peer, options: MemoryOptions): Promise<MemorySample> {
  const running = await startPeer(peer, { profile: 'bare', clusters: 1, originPort: options.originPort });
  await settle();
  const idle = readMemory(running.pid);
  for (const axis of AXES.filter((one) => LOADS.includes(one.name))) await runSlot(axis, running, options.slotSeconds);
  await settle();
  const loaded = readMemory(running.pid);
  await running.stop();
  return { idle, loaded };
}

// Start-up work that is still going on would be read as idle memory, and closing connections as load.
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
}
