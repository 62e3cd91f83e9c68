// What tracing costs: the CPU that it adds to a request, beside what Envoy's own tracer adds to one of Envoy's; and what
// a million spans a minute cost when the sampler keeps a few of them.
import { join } from 'node:path';
import { ensureWrk } from '../load/wrk.ts';
import { describeMachine } from '../measure/machine.ts';
import { joinSlots, type Slot } from '../measure/measured-load.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import { WARM_UP_RUNS, WARM_UP_SECONDS } from '../measure/warm-up.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer, PeerName } from '../peers/peer.ts';
import { assembleRoster } from '../peers/roster.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';
import { startSpanCollector } from '../peers/span-collector.ts';
import { cpuMicrosPerRequest } from '../report/engine-report.ts';
import { writePart } from '../report/results-file.ts';
import { renderTelemetryResults, TELEMETRY_TITLE, type TracedSlots } from '../report/telemetry-results.ts';
import { AXES } from './axes.ts';
import { measureMillion } from './telemetry-million.ts';
import { runSlot } from './throughput.ts';

const RESULTS = join(import.meta.dirname, '..', 'RESULTS.md');
const AXIS = AXES[0]!;

export type TelemetryOptions = { readonly rounds: number; readonly slotSeconds: number; readonly write: boolean };

type Variant = { readonly peer: PeerName; readonly percent: number | null };

const VARIANTS: readonly Variant[] = [
  { peer: 'envoy', percent: null },
  { peer: 'envoy', percent: 100 },
  { peer: 'outrigger', percent: null },
  { peer: 'outrigger', percent: 1 },
  { peer: 'outrigger', percent: 100 },
];

// Prints the report; writes its part of RESULTS.md when asked. Rejects when a request failed.
export async function runTelemetry(options: TelemetryOptions): Promise<void> {
  ensureWrk();
  const { peers, absent } = assembleRoster(['envoy', 'nginx', 'outrigger']);
  for (const one of absent) console.log(`${one.name} takes no part: ${one.reason}`);
  const origin = await startOrigin();
  const slots = await measureTraced(peers, origin.port, options);
  const million = await measureMillion(peers.find(({ name }) => name === 'outrigger')!, origin.port);
  await origin.stop();
  const versions = peers.map((peer) => `${peer.name}: ${peer.version()}`);
  const results = renderTelemetryResults({ machine: [...describeMachine(), ...versions], ...slots, million });
  console.log(results);
  if (options.write) writePart(RESULTS, TELEMETRY_TITLE, results);
}

type Traced = { readonly traced: readonly TracedSlots[]; readonly mostStealShare: number };

// Every round has processes of its own: two of the same code differ by a fifth of what a request costs, by what V8 saw first
// and inlined. Of a round all run all the time, and one at a time has load, forwards and then backwards.
async function measureTraced(peers: readonly Peer[], originPort: number, options: TelemetryOptions): Promise<Traced> {
  const collector = await startSpanCollector({ keeps: false });
  const variants = VARIANTS.filter(({ peer }) => peers.some(({ name }) => name === peer));
  const measured = new QuietRounds<readonly Slot[]>(options.rounds);
  while (!measured.isComplete) {
    const running: RunningPeer[] = [];
    for (const { peer, percent } of variants) {
      const telemetry = { collectorPort: collector.port, percent };
      const setup = { profile: 'bare', clusters: 1, originPort, telemetry } as const;
      running.push(await startPeer(peers.find(({ name }) => name === peer)!, setup));
    }
    const round = await runRound(running, options.slotSeconds);
    for (const one of running) await one.stop();
    const stealShare = Math.max(...round.map((slot) => slot.stealShare));
    measured.add(round, stealShare);
    const figures = round.map(
      (slot, index) => `${nameOf(variants[index]!)} ${cpuMicrosPerRequest(slot).toFixed(1)} us`,
    );
    console.log(`tracing: steal ${(stealShare * 100).toFixed(1)} %: ${figures.join(', ')}`);
  }
  await collector.stop();
  const { rounds, mostStealShare } = measured.select();
  const traced = variants.map((variant, index) => ({ ...variant, slots: rounds.map((round) => round[index]!) }));
  return { traced, mostStealShare };
}

async function runRound(running: readonly RunningPeer[], seconds: number): Promise<readonly Slot[]> {
  for (let run = 0; run < WARM_UP_RUNS; run++) {
    for (const one of running) await runSlot(AXIS, one, WARM_UP_SECONDS);
  }
  const slots = running.map((): Slot[] => []);
  const order = running.map((_, index) => index);
  for (const index of [...order, ...order.toReversed()]) {
    slots[index]!.push(await runSlot(AXIS, running[index]!, seconds));
  }
  return slots.map(joinSlots);
}

function nameOf({ peer, percent }: Variant): string {
  return percent === null ? `${peer} off` : `${peer} ${percent} %`;
}
