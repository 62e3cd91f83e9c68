// From before the program is spawned to its first proxied 200, small configuration.
import type { Peer, PeerName } from '../peers/peer.ts';
import { startPeer } from '../peers/running-peer.ts';

export type StartSuiteOptions = {
  readonly starts: number;
  readonly originPort: number;
  readonly log: (line: string) => void;
};

export type StartResult = ReadonlyMap<PeerName, readonly number[]>;

export async function measureStart(peers: readonly Peer[], options: StartSuiteOptions): Promise<StartResult> {
  const startsMs = new Map<PeerName, number[]>(peers.map((peer) => [peer.name, []]));
  // The first start reads the program from disk; that is not what is compared.
  for (let start = -1; start < options.starts; start += 1) {
    for (const peer of start % 2 === 0 ? peers : peers.toReversed()) {
      const running = await startPeer(peer, { profile: 'bare', clusters: 1, originPort: options.originPort });
      if (start >= 0) startsMs.get(peer.name)!.push(running.startMs);
      await running.stop();
    }
  }
  options.log(`start: ${options.starts} of each`);
  return startsMs;
}
