// What TLS costs: CPU a request where it ends, and through a pair of sidecars; CPU a full handshake; memory.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runHandshakes } from '../load/handshakes.ts';
import { ensureWrk, runWrk } from '../load/wrk.ts';
import { describeMachine } from '../measure/machine.ts';
import { joinSlots, measureLoad, type Slot } from '../measure/measured-load.ts';
import { readMemory } from '../measure/process-memory.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import { WARM_UP_RUNS, WARM_UP_SECONDS } from '../measure/warm-up.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer, PeerName, TlsSetup } from '../peers/peer.ts';
import { assembleRoster } from '../peers/roster.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';
import { makeTlsFiles, type TlsFiles } from '../peers/tls-files.ts';
import { writePart } from '../report/results-file.ts';
import { renderTlsResults, TLS_TITLE, type TlsMeasure } from '../report/tls-results.ts';
import { AXES } from './axes.ts';

const RESULTS = join(import.meta.dirname, '..', 'RESULTS.md');
const REQUEST = AXES[0]!.request;
const CONNECTIONS = 64;

export type TlsOptions = { readonly rounds: number; readonly slotSeconds: number; readonly write: boolean };

// Prints the report; writes its part of RESULTS.md when asked. Rejects when a request or a handshake failed.
export async function runTls(options: TlsOptions): Promise<void> {
  ensureWrk();
  const { peers, absent } = assembleRoster(['envoy', 'nginx', 'outrigger']);
  for (const one of absent) console.log(`${one.name} takes no part: ${one.reason}`);
  const directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-tls-'));
  const files = makeTlsFiles(directory);
  const origin = await startOrigin();
  const bench: TlsBench = { peers, files, originPort: origin.port, options };
  const terminating = await measureTerminating(bench);
  const { pair, handshakes, rssBytes } = await measurePairs(bench);
  await origin.stop();
  rmSync(directory, { recursive: true });
  const versions = peers.map((peer) => `${peer.name}: ${peer.version()}`);
  const machine = [...describeMachine(), ...versions];
  const results = renderTlsResults({ machine, terminating, pair, handshakes, rssBytes });
  console.log(results);
  if (options.write) writePart(RESULTS, TLS_TITLE, results);
}

type TlsBench = {
  readonly peers: readonly Peer[];
  readonly files: TlsFiles;
  readonly originPort: number;
  readonly options: TlsOptions;
};

// A load on one contestant, of one process or of two.
type Contestant = { readonly name: PeerName; readonly run: (seconds: number) => Promise<Slot> };

async function measureTerminating({ peers, files, originPort, options }: TlsBench): Promise<TlsMeasure> {
  const running: RunningPeer[] = [];
  for (const peer of peers) {
    running.push(await start(peer, originPort, { files, downstream: 'server', upstream: 'none' }));
  }
  const contestants = running.map((peer) => ({
    name: peer.name,
    run: (seconds: number) => measureLoad(peer.pid, () => requests(peer, seconds, true)),
  }));
  const measured = await measure('terminating', contestants, options);
  for (const one of running) await one.stop();
  return measured;
}

type PairMeasures = {
  readonly pair: TlsMeasure;
  readonly handshakes: TlsMeasure;
  // Of the server's sidecar, after all that load.
  readonly rssBytes: ReadonlyMap<PeerName, number>;
};

async function measurePairs({ peers, files, originPort, options }: TlsBench): Promise<PairMeasures> {
  const running: { readonly name: PeerName; readonly client: RunningPeer; readonly server: RunningPeer }[] = [];
  for (const peer of peers.filter(({ name }) => name !== 'nginx')) {
    const server = await start(peer, originPort, { files, downstream: 'mutual', upstream: 'none' });
    const client = await start(peer, server.httpPort, { files, downstream: 'none', upstream: 'mutual' });
    running.push({ name: peer.name, client, server });
  }
  const pairs = running.map(({ name, client, server }) => ({
    name,
    run: (seconds: number) => measureLoad([client.pid, server.pid], () => requests(client, seconds, false)),
  }));
  const pair = await measure('mutual pair', pairs, options);
  const servers = running.map(({ name, server }) => ({
    name,
    run: (seconds: number) => measureLoad(server.pid, () => runHandshakes({ port: server.httpPort, files, seconds })),
  }));
  const handshakes = await measure('handshakes', servers, options);
  const rssBytes = new Map(running.map(({ name, server }) => [name, readMemory(server.pid).rssBytes]));
  for (const { client, server } of running) {
    await client.stop();
    await server.stop();
  }
  return { pair, handshakes, rssBytes };
}

function start(peer: Peer, originPort: number, tls: TlsSetup): Promise<RunningPeer> {
  return startPeer(peer, { profile: 'bare', clusters: 1, originPort, tls });
}

function requests({ httpPort: port, authority, directory }: RunningPeer, seconds: number, isSecure: boolean) {
  return runWrk({ port, connections: CONNECTIONS, seconds, request: { ...REQUEST, authority }, directory, isSecure });
}

// All run all the time, and one at a time has load, forwards and then backwards.
async function measure(
  title: string,
  contestants: readonly Contestant[],
  { rounds, slotSeconds }: TlsOptions,
): Promise<TlsMeasure> {
  for (let warmUp = 0; warmUp < WARM_UP_RUNS; warmUp++) {
    for (const { run } of contestants) await run(WARM_UP_SECONDS);
  }
  const measured = new QuietRounds<readonly Slot[]>(rounds);
  while (!measured.isComplete) {
    const round = await runRound(contestants, slotSeconds);
    const stealShare = Math.max(...round.map((slot) => slot.stealShare));
    measured.add(round, stealShare);
    const figures = round.map((slot, index) => {
      const micros = ((slot.userMs + slot.systemMs) * 1000) / slot.requests;
      return `${contestants[index]!.name} ${micros.toFixed(1)} us`;
    });
    console.log(`${title}: steal ${(stealShare * 100).toFixed(1)} %: ${figures.join(', ')}`);
  }
  const { rounds: kept, mostStealShare } = measured.select();
  const slots = contestants.map(({ name }, index) => [name, kept.map((round) => round[index]!)] as const);
  return { slots: new Map(slots), mostStealShare };
}

async function runRound(contestants: readonly Contestant[], seconds: number): Promise<readonly Slot[]> {
  const slots = contestants.map((): Slot[] => []);
  const order = contestants.map((_, index) => index);
  for (const index of [...order, ...order.toReversed()]) slots[index]!.push(await contestants[index]!.run(seconds));
  return slots.map(joinSlots);
}
