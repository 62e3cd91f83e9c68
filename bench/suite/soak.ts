// Minutes of mixed load on one process: keep-alive on 512 connections, POST echo, connections closed after one
// request, aborted requests. Memory and file descriptors are sampled between batches; the verdict is measure/growth.ts.
import { runChurn } from '../load/churn.ts';
import { ensureWrk } from '../load/wrk.ts';
import { judgeGrowth, type ResourceSample } from '../measure/growth.ts';
import { countFileDescriptors, readMemory } from '../measure/process-memory.ts';
import { countUpstreamConnections } from '../measure/upstream-connections.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer } from '../peers/peer.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';
import { AXES, type Axis } from './axes.ts';
import { runSlot } from './throughput.ts';

// Two batches, GET then POST, and the pause make the 10 s between samples.
const BATCH_SECONDS = 4;
// Longer than Envoy's delayed_close_timeout of 1 s: connections on their way out are no leak.
const SETTLE_MS = 1_500;
// The widest batch and the most that the churn has open at a time.
const MOST_CONNECTIONS = 512 + 128;
const BATCHES: readonly Axis[] = AXES.filter((axis) => axis.name === 'many' || axis.name === 'post-medium');
const MEBIBYTE = 2 ** 20;

export type SoakOptions = { readonly peer: Peer; readonly minutes: number };

// Prints each sample and the verdict; returns whether the process grew. Rejects on any wrong answer.
export async function runSoak(options: SoakOptions): Promise<boolean> {
  ensureWrk();
  options.peer.install();
  const origin = await startOrigin();
  const peer = await startPeer(options.peer, { profile: 'bare', clusters: 1, originPort: origin.port });
  const samples = await sampleUnderLoad(peer, origin.port, options.minutes);
  await peer.stop();
  await origin.stop();
  const verdict = judgeGrowth(samples, MOST_CONNECTIONS);
  const rss = `RSS ${(verdict.rssGrowthShare * 100).toFixed(1)} %`;
  const word = verdict.grew ? 'it grew' : 'no growth after warm-up';
  const descriptors = `file descriptors ${verdict.fileDescriptorGrowth}`;
  console.log(`${word}: ${rss}, ${descriptors}, at most ${verdict.mostUpstreamConnections} upstream connections`);
  return verdict.grew;
}

async function sampleUnderLoad(
  peer: RunningPeer,
  originPort: number,
  minutes: number,
): Promise<readonly ResourceSample[]> {
  const samples: ResourceSample[] = [];
  const endAt = performance.now() + minutes * 60_000;
  while (performance.now() < endAt) {
    await runMixedLoad(peer);
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const upstreamConnections = countUpstreamConnections(originPort);
    const { rssBytes } = readMemory(peer.pid);
    const fileDescriptors = countFileDescriptors(peer.pid) - upstreamConnections;
    samples.push({ rssBytes, fileDescriptors, upstreamConnections });
    const rss = `RSS ${(rssBytes / MEBIBYTE).toFixed(1)} MiB`;
    console.log(`${rss}, ${fileDescriptors} file descriptors and ${upstreamConnections} upstream connections`);
  }
  return samples;
}

// The churn ends before anything is counted: what is open then is kept, not in passing.
async function runMixedLoad(peer: RunningPeer): Promise<void> {
  const stopChurn = new AbortController();
  const churn = runChurn(peer.httpPort, peer.authority, stopChurn.signal);
  try {
    for (const axis of BATCHES) await runSlot(axis, peer, BATCH_SECONDS);
  } finally {
    stopChurn.abort();
  }
  const { closed, aborted, failed } = await churn;
  if (failed > 0) throw new Error(`${failed} of ${closed + aborted + failed} connections of the churn failed`);
}
