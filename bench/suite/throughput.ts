// Closed loop: requests/s, CPU per request, bytes per CPU second, for every axis. Within a round the peers run
// forwards and then backwards (A B C, C B A), so that a drift of the machine meets all of them alike.
import { checkBodiesDuring } from '../load/body-check.ts';
import { runWrk } from '../load/wrk.ts';
import { joinSlots, measureLoad, type Slot } from '../measure/measured-load.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import type { PeerName } from '../peers/peer.ts';
import type { RunningPeer } from '../peers/running-peer.ts';
import type { Axis } from './axes.ts';

export type ThroughputOptions = {
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly log: (line: string) => void;
};

export type AxisResult = {
  readonly axis: Axis;
  // One joined slot a round that counts, for each peer.
  readonly rounds: ReadonlyMap<PeerName, readonly Slot[]>;
  readonly discardedRounds: number;
  readonly mostStealShare: number;
};

export async function measureAxis(
  axis: Axis,
  peers: readonly RunningPeer[],
  options: ThroughputOptions,
): Promise<AxisResult> {
  const measured = new QuietRounds<ReadonlyMap<PeerName, Slot>>(options.rounds);
  // Pools fill before anything counts.
  for (const peer of peers) await runSlot(axis, peer, 1);
  while (!measured.isComplete) {
    const round = await runRound(axis, peers, options.slotSeconds);
    const stealShare = Math.max(...[...round.values()].map((slot) => slot.stealShare));
    measured.add(round, stealShare);
    options.log(`${axis.name}: steal ${(stealShare * 100).toFixed(1)} %: ${roundLine(round)}`);
  }
  const { rounds, discarded, mostStealShare } = measured.select();
  return {
    axis,
    rounds: new Map(peers.map(({ name }) => [name, rounds.map((round) => round.get(name)!)])),
    discardedRounds: discarded,
    mostStealShare,
  };
}

async function runRound(axis: Axis, peers: readonly RunningPeer[], seconds: number): Promise<Map<PeerName, Slot>> {
  const slots = new Map<PeerName, Slot[]>(peers.map((peer) => [peer.name, []]));
  for (const peer of [...peers, ...peers.toReversed()]) slots.get(peer.name)!.push(await runSlot(axis, peer, seconds));
  return new Map([...slots].map(([name, pair]) => [name, joinSlots(pair)]));
}

export async function runSlot(axis: Axis, peer: RunningPeer, seconds: number): Promise<Slot> {
  const port = axis.listener === 'http' ? peer.httpPort : peer.tcpPort;
  const request = { ...axis.request, authority: peer.authority };
  const { connections, expectedSha256 } = axis;
  return await measureLoad(peer.pid, async () => {
    const load = () => runWrk({ port, connections, seconds, request, directory: peer.directory });
    const run = await checkBodiesDuring({ port, request, expectedSha256 }, load).catch((error: Error) => {
      throw new Error(`${peer.name}, ${axis.title}: ${error.message}`, { cause: error });
    });
    // The checker's requests cost the proxy as much as wrk's.
    return { ...run.outcome, requests: run.outcome.requests + run.checkedRequests };
  });
}

function roundLine(round: ReadonlyMap<PeerName, Slot>): string {
  const parts = [...round].map(([name, slot]) => {
    const micros = ((slot.userMs + slot.systemMs) * 1000) / slot.requests;
    return `${name} ${Math.round(slot.requests / slot.seconds)}/s ${micros.toFixed(1)} us`;
  });
  return parts.join(', ');
}
