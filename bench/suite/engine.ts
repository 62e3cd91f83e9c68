// The whole comparison: which suites run, on which processes, in which order.
import { join } from 'node:path';
import { ensureWrk } from '../load/wrk.ts';
import { describeMachine } from '../measure/machine.ts';
import { WARM_UP_RUNS, WARM_UP_SECONDS } from '../measure/warm-up.ts';
import type { Origin } from '../peers/origin.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer, PeerName, Profile } from '../peers/peer.ts';
import { assembleRoster } from '../peers/roster.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';
import type { EngineReport } from '../report/engine-report.ts';
import { ENGINE_TITLE, renderResults } from '../report/results.ts';
import { writePart } from '../report/results-file.ts';
import { AXES } from './axes.ts';
import { type LatencyResult, measureLatency } from './latency.ts';
import { measureMemory } from './memory.ts';
import { measureScale } from './scale.ts';
import { measureStart } from './start.ts';
import { type AxisResult, measureAxis, runSlot } from './throughput.ts';

const RESULTS = join(import.meta.dirname, '..', 'RESULTS.md');
const FULL = [...AXES.map((axis) => axis.name), 'latency', 'memory', 'start', 'scale'];
const QUICK = ['small', 'mesh', 'large', 'tcp-large', 'memory', 'start'];

// A median of fewer moves by more than the goal's margin.
const STARTS = 9;

export const AXIS_NAMES: readonly string[] = FULL;

export type EngineOptions = {
  readonly quick: boolean;
  // Empty: all of them, or the short list when quick.
  readonly only: readonly string[];
  readonly rounds: number;
  readonly slotSeconds: number;
  readonly peers: readonly PeerName[];
  readonly write: boolean;
};

// Prints the report; writes RESULTS.md when asked. Rejects when any peer gave a wrong answer.
export async function runEngine(options: EngineOptions): Promise<void> {
  ensureWrk();
  const { peers, absent } = assembleRoster(options.peers);
  for (const one of absent) console.log(`${one.name} takes no part: ${one.reason}`);
  if (peers.length === 0) throw new Error('no proxy to measure');
  const origin = await startOrigin();
  const wanted = options.only.length > 0 ? options.only : options.quick ? QUICK : FULL;
  const suite = new Suite(peers, origin, options);
  const bare = await suite.axes('bare', wanted);
  const mesh = await suite.axes('mesh', wanted);
  const report: EngineReport = {
    machine: describeMachine(),
    versions: new Map(peers.map((peer) => [peer.name, peer.version()])),
    absent: absent.map((one) => one.name),
    rounds: options.rounds,
    slotSeconds: options.slotSeconds,
    axes: [...bare.axes, ...mesh.axes],
    latency: bare.latency,
    memory: wanted.includes('memory') ? await measureMemory(peers, suite.settings(Math.min(options.rounds, 3))) : null,
    start: wanted.includes('start') ? await measureStart(peers, { ...suite.settings(1), starts: STARTS }) : null,
    scale: wanted.includes('scale') ? await measureScale(peers, suite.settings(Math.min(options.rounds, 3))) : [],
  };
  const results = renderResults(report);
  console.log(results);
  if (options.write) writePart(RESULTS, ENGINE_TITLE, results);
  await origin.stop();
}

class Suite {
  readonly #peers: readonly Peer[];
  readonly #origin: Origin;
  readonly #options: EngineOptions;

  constructor(peers: readonly Peer[], origin: Origin, options: EngineOptions) {
    this.#peers = peers;
    this.#origin = origin;
    this.#options = options;
  }

  settings(rounds: number) {
    return { rounds, slotSeconds: this.#options.slotSeconds, originPort: this.#origin.port, log };
  }

  // All peers of a profile stay up together: an idle one takes no CPU, and alternating needs them warm.
  async axes(
    profile: Profile,
    wanted: readonly string[],
  ): Promise<{ axes: readonly AxisResult[]; latency: LatencyResult | null }> {
    const chosen = AXES.filter((axis) => axis.profile === profile && wanted.includes(axis.name));
    const withLatency = profile === 'bare' && wanted.includes('latency');
    if (chosen.length === 0 && !withLatency) return { axes: [], latency: null };
    const running: RunningPeer[] = [];
    for (const peer of this.#peers) {
      running.push(await startPeer(peer, { profile, clusters: 1, originPort: this.#origin.port }));
    }
    const settings = this.settings(this.#options.rounds);
    const axes: AxisResult[] = [];
    const [first] = chosen;
    for (let run = 0; first !== undefined && run < WARM_UP_RUNS; run++) {
      for (const peer of running) await runSlot(first, peer, WARM_UP_SECONDS);
    }
    for (const axis of chosen) axes.push(await measureAxis(axis, running, settings));
    const latency = withLatency ? await measureLatency(running, settings) : null;
    for (const peer of running) await peer.stop();
    return { axes, latency };
  }
}

function log(line: string): void {
  console.log(line);
}
