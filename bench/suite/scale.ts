// 1, 1,000 and 10,000 clusters, each with its virtual host: time to the first 200, memory, CPU per request.

import { readMemory } from '../measure/process-memory.ts';
import type { Peer, PeerName } from '../peers/peer.ts';
import { startPeer } from '../peers/running-peer.ts';
import { AXES } from './axes.ts';
import { runSlot } from './throughput.ts';

export const CLUSTER_COUNTS = [1, 1_000, 10_000];

export type ScaleOptions = {
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly originPort: number;
  readonly log: (line: string) => void;
};

export type ScaleSample = {
  readonly startMs: number;
  readonly rssBytes: number;
  readonly loadedRssBytes: number;
  readonly cpuMicros: number;
};

export type ScaleRow = { readonly clusters: number; readonly samples: ReadonlyMap<PeerName, readonly ScaleSample[]> };

export async function measureScale(peers: readonly Peer[], options: ScaleOptions): Promise<readonly ScaleRow[]> {
  const rows: ScaleRow[] = [];
  for (const clusters of CLUSTER_COUNTS) {
    const samples = new Map<PeerName, ScaleSample[]>(peers.map((peer) => [peer.name, []]));
    for (let round = 0; round < options.rounds; round += 1) {
      for (const peer of round % 2 === 0 ? peers : peers.toReversed()) {
        samples.get(peer.name)!.push(await sampleScale(peer, clusters, options));
      }
    }
    const starts = [...samples].map(([name, all]) => `${name} ${Math.round(all[0]!.startMs)} ms`);
    options.log(`scale: ${clusters} clusters: ${starts.join(', ')}`);
    rows.push({ clusters, samples });
  }
  return rows;
}

async function sampleScale(peer: Peer, clusters: number, options: ScaleOptions): Promise<ScaleSample> {
  const running = await startPeer(peer, { profile: 'bare', clusters, originPort: options.originPort });
  const { rssBytes } = readMemory(running.pid);
  await runSlot(AXES[0]!, running, 1);
  const slot = await runSlot(AXES[0]!, running, options.slotSeconds);
  const loadedRssBytes = readMemory(running.pid).rssBytes;
  await running.stop();
  const cpuMicros = ((slot.userMs + slot.systemMs) * 1000) / slot.requests;
  return {
    startMs: running.startMs,
    rssBytes,
    loadedRssBytes,
    cpuMicros,
  };
}
