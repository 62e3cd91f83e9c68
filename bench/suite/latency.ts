// Open loop: p50 and p99 at half of what the slowest peer can do, for all peers at the same rate. Beside them the
// origin without a proxy: the floor under every figure, the generator's own delay included.
import { patternBody, SMALL_BODY_BYTES } from '../load/bodies.ts';
import type { PacedOptions, PacedOutcome } from '../load/paced-load.ts';
import { runPacedClient } from '../load/run-paced-client.ts';
import { measureLoad, type Slot } from '../measure/measured-load.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import type { PeerName } from '../peers/peer.ts';
import type { RunningPeer } from '../peers/running-peer.ts';
import { AXES } from './axes.ts';
import { runSlot } from './throughput.ts';

const CONNECTIONS = 64;
const LOAD_SHARE = 0.5;

export type LatencyOptions = {
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly originPort: number;
  readonly log: (line: string) => void;
};

export type LatencySample = PacedOutcome & { readonly cpuMicros: number };

export type LatencyResult = {
  readonly requestsPerSecond: number;
  readonly samples: ReadonlyMap<PeerName | 'direct', readonly LatencySample[]>;
  readonly discardedRounds: number;
  readonly mostStealShare: number;
};

export async function measureLatency(peers: readonly RunningPeer[], options: LatencyOptions): Promise<LatencyResult> {
  const requestsPerSecond = await halfOfSlowest(peers, options.slotSeconds);
  const measured = new QuietRounds<readonly [PeerName | 'direct', LatencySample][]>(options.rounds);
  while (!measured.isComplete) {
    const round: [PeerName | 'direct', LatencySample][] = [['direct', await direct(options, requestsPerSecond)]];
    let stealShare = 0;
    for (const peer of [...peers, ...peers.toReversed()]) {
      const { sample, slot } = await paced(peer, requestsPerSecond, options.slotSeconds);
      stealShare = Math.max(stealShare, slot.stealShare);
      round.push([peer.name, sample]);
    }
    measured.add(round, stealShare);
    options.log(`latency at ${requestsPerSecond}/s: steal ${(stealShare * 100).toFixed(1)} %: ${line(round)}`);
  }
  const { rounds, discarded, mostStealShare } = measured.select();
  const samples = new Map<PeerName | 'direct', LatencySample[]>([['direct', []]]);
  for (const peer of peers) samples.set(peer.name, []);
  for (const [name, sample] of rounds.flat()) samples.get(name)!.push(sample);
  return { requestsPerSecond, samples, discardedRounds: discarded, mostStealShare };
}

async function halfOfSlowest(peers: readonly RunningPeer[], seconds: number): Promise<number> {
  let slowest = Number.POSITIVE_INFINITY;
  for (const peer of peers) {
    await runSlot(AXES[0]!, peer, 1);
    const slot = await runSlot(AXES[0]!, peer, seconds);
    slowest = Math.min(slowest, slot.requests / slot.seconds);
  }
  return Math.round(slowest * LOAD_SHARE);
}

async function paced(peer: RunningPeer, rate: number, seconds: number): Promise<{ sample: LatencySample; slot: Slot }> {
  let outcome: PacedOutcome | undefined;
  const slot = await measureLoad(peer.pid, async () => {
    outcome = await runClient({ port: peer.httpPort, authority: peer.authority, rate, seconds });
    return { requests: outcome.requests, bytes: 0, seconds };
  });
  const cpuMicros = ((slot.userMs + slot.systemMs) * 1000) / slot.requests;
  return { sample: { ...outcome!, cpuMicros }, slot };
}

async function direct(options: LatencyOptions, rate: number): Promise<LatencySample> {
  const { originPort: port, slotSeconds: seconds } = options;
  return { ...(await runClient({ port, authority: 'origin', rate, seconds })), cpuMicros: 0 };
}

async function runClient(load: { port: number; authority: string; rate: number; seconds: number }) {
  const options: PacedOptions = {
    port: load.port,
    connections: CONNECTIONS,
    requestsPerSecond: load.rate,
    seconds: load.seconds,
    requests: [`GET / HTTP/1.1\r\nHost: ${load.authority}\r\n\r\n`],
    expectedBody: patternBody(SMALL_BODY_BYTES),
  };
  return runPacedClient(options, 'idle');
}

function line(round: readonly [string, LatencySample][]): string {
  return round.map(([name, sample]) => `${name} ${sample.p50Micros}/${sample.p99Micros} us`).join(', ');
}
