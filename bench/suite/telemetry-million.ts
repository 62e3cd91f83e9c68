// A million spans a minute offered to one core: what the sampler and the export of what it keeps cost, and whether the
// errors among them are all there.
//
// The load is even, 16,667 requests a second, 3 of 10 to a payment service. Beside it a few requests a second fail,
// fewer than the fuse lets through.
//
// Two proxies, one that traces and one that does not, have the load in turn, so shortly that a host that slows down slows
// both. Of the pairs of turns the quietest count, chosen by steal alone.
import { setTimeout } from 'node:timers/promises';
import { patternBody, SMALL_BODY_BYTES } from '../load/bodies.ts';
import type { PacedOptions } from '../load/paced-load.ts';
import { runPacedClient } from '../load/run-paced-client.ts';
import { measureLoad, type Slot } from '../measure/measured-load.ts';
import { readMemory } from '../measure/process-memory.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import type { Peer } from '../peers/peer.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';
import { type CollectedSpan, startSpanCollector } from '../peers/span-collector.ts';

const REQUESTS_PER_SECOND = 1_000_000 / 60;
const TURN_SECONDS = 2;
const PAIRS = 8;
// A rate that lasts: V8 compiles for some four seconds of it, which were a third of what was added.
const WARM_UP_SECONDS = 6;
const CONNECTIONS = 64;
const ERROR_EVERY_MS = 250;
// A second in the worker, one or two to be chosen among, a second to be sent.
const SETTLE_MS = 5_000;
const PATHS = ['/', '/', '/payment', '/', '/', '/payment', '/', '/', '/payment', '/'];
// The rates are the shipped ones, 1 % and 10 %, which keep 0.7 x 1 % + 0.3 x 10 % = 3.7 % or 617 traces a second: a budget above
// that, so that rules and not the cap say what is kept.
const SAMPLING = 'sampling:\n  budget: { traces_per_second: 1000 }\n';

export type TurnPair = { readonly off: Slot; readonly on: Slot };

export type Million = {
  readonly offered: number;
  readonly seconds: number;
  readonly kept: number;
  readonly errorsSent: number;
  readonly errorsKept: number;
  // Kept errors that stand for more than themselves, or are there twice.
  readonly errorsMiscounted: number;
  // Those that count, and the seconds of load in a turn.
  readonly pairs: readonly TurnPair[];
  readonly turnSeconds: number;
  readonly mostStealShare: number;
  readonly addedBytes: number;
};

export async function measureMillion(peer: Peer, originPort: number): Promise<Million> {
  const collector = await startSpanCollector({ keeps: true });
  const options = { profile: 'bare', clusters: 1, originPort } as const;
  const untraced = { collectorPort: collector.port, percent: null };
  const off = await startPeer(peer, { ...options, telemetry: untraced });
  const on = await startPeer(peer, { ...options, telemetry: { ...untraced, percent: 100, samplingFile: SAMPLING } });
  for (const one of [off, on]) await offer(one, WARM_UP_SECONDS);
  await setTimeout(SETTLE_MS);
  const before = collector.spans().length;
  const measured = new QuietRounds<TurnPair>(PAIRS);
  let offered = 0;
  let seconds = 0;
  let errorsSent = 0;
  while (!measured.isComplete) {
    const without = await takeTurn(off);
    const traced = await takeTurn(on);
    const stealShare = Math.max(without.slot.stealShare, traced.slot.stealShare);
    measured.add({ off: without.slot, on: traced.slot }, stealShare);
    offered += traced.slot.requests + traced.errorsSent;
    errorsSent += traced.errorsSent;
    seconds += TURN_SECONDS;
  }
  await setTimeout(SETTLE_MS);
  const addedBytes = readMemory(on.pid).rssBytes - readMemory(off.pid).rssBytes;
  await off.stop();
  await on.stop();
  const spans = collector.spans();
  await collector.stop();
  const { rounds, mostStealShare } = measured.select();
  const errors = spans.filter(({ attributes }) => attributes['sampling.reason'] === 'error');
  return {
    offered,
    seconds,
    kept: spans.length - before,
    errorsSent,
    errorsKept: new Set(errors.map(({ traceId }) => traceId)).size,
    errorsMiscounted: errors.length - errors.filter(standsForItself).length + repeated(errors),
    pairs: rounds,
    turnSeconds: TURN_SECONDS,
    mostStealShare,
    addedBytes,
  };
}

type Turn = { readonly slot: Slot; readonly errorsSent: number };

async function takeTurn(running: RunningPeer): Promise<Turn> {
  const errors = sendErrors(running);
  const slot = await measureLoad(running.pid, () => offer(running, TURN_SECONDS));
  return { slot, errorsSent: await errors.stop() };
}

// `ot=th:0`: it was sure to be kept.
function standsForItself({ traceState }: CollectedSpan): boolean {
  return /(^|,)ot=(.*;)?th:0(;|,|$)/.test(traceState);
}

function repeated(spans: readonly CollectedSpan[]): number {
  return spans.length - new Set(spans.map(({ traceId }) => traceId)).size;
}

async function offer(running: RunningPeer, seconds: number) {
  const options: PacedOptions = {
    port: running.httpPort,
    connections: CONNECTIONS,
    requestsPerSecond: REQUESTS_PER_SECOND,
    seconds,
    requests: PATHS.map((path) => `GET ${path} HTTP/1.1\r\nHost: ${running.authority}\r\n\r\n`),
    expectedBody: patternBody(SMALL_BODY_BYTES),
  };
  const startedAt = performance.now();
  const outcome = await runPacedClient(options, 'idle');
  return { requests: outcome.requests, bytes: 0, seconds: (performance.now() - startedAt) / 1000 };
}

function sendErrors(running: RunningPeer): { readonly stop: () => Promise<number> } {
  const ending = new AbortController();
  const sending = (async () => {
    for (let sent = 0; ; sent += 1) {
      await setTimeout(ERROR_EVERY_MS, undefined, { signal: ending.signal }).catch(() => undefined);
      if (ending.signal.aborted) return sent;
      const response = await fetch(`http://127.0.0.1:${running.httpPort}/error`);
      await response.arrayBuffer();
      if (response.status !== 500) throw new Error(`/error was answered ${response.status}`);
    }
  })();
  return {
    stop: () => {
      ending.abort();
      return sending;
    },
  };
}
