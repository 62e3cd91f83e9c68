// Minutes of mixed load on one process: keep-alive on 512 connections, POST echo, connections closed after one
// request, aborted requests. Memory and file descriptors are sampled between batches; the verdict is measure/growth.ts.
import { runChurn } from '../load/churn.ts';
import { ensureWrk } from '../load/wrk.ts';
import { judgeGrowth, type ResourceSample } from '../measure/growth.ts';
import { countFileDescriptors, readMemory } from '../measure/process-memory.ts';
import { startOrigin } from '../peers/origin.ts';
import type { Peer } from '../peers/peer.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';
import { AXES, type Axis } from './axes.ts';
import { runSlot } from './throughput.ts';

const BATCH_SECONDS = 5;
// Two batches, GET then POST, make the 10 s between samples.
const BATCHES: readonly Axis[] = AXES.filter((axis) => axis.name === 'many' || axis.name === 'post-medium');
const MEBIBYTE = 2 ** 20;

export type SoakOptions = { readonly peer: Peer; readonly minutes: number };

// Prints each sample and the verdict; returns whether the process grew. Rejects on any wrong answer.
export async function runSoak(options: SoakOptions): Promise<boolean> {
  ensureWrk();
  options.peer.install();
  const origin = await startOrigin();
  const peer = await startPeer(options.peer, { profile: 'bare', clusters: 1, originPort: origin.port });
  const stopChurn = new AbortController();
  const churn = runChurn(peer.httpPort, peer.authority, stopChurn.signal);
  const samples = await sampleUnderLoad(peer, options.minutes).finally(() => stopChurn.abort());
  const outcome = await churn;
  console.log(`churn: ${outcome.closed} closed, ${outcome.aborted} aborted, ${outcome.failed} failed`);
  await peer.stop();
  await origin.stop();
  if (outcome.failed > 0) throw new Error(`${outcome.failed} connections of the churn failed`);
  const verdict = judgeGrowth(samples);
  const rss = `RSS ${(verdict.rssGrowthShare * 100).toFixed(1)} %`;
  const word = verdict.grew ? 'it grew' : 'no growth after warm-up';
  console.log(`${word}: ${rss}, file descriptors ${verdict.fileDescriptorGrowth}`);
  return verdict.grew;
}

async function sampleUnderLoad(peer: RunningPeer, minutes: number): Promise<readonly ResourceSample[]> {
  const samples: ResourceSample[] = [];
  const endAt = performance.now() + minutes * 60_000;
  while (performance.now() < endAt) {
    for (const axis of BATCHES) await runSlot(axis, peer, BATCH_SECONDS);
    const sample = {
      rssBytes: readMemory(peer.pid).rssBytes,
      fileDescriptors: countFileDescriptors(peer.pid),
    };
    samples.push(sample);
    console.log(`RSS ${(sample.rssBytes / MEBIBYTE).toFixed(1)} MiB, ${sample.fileDescriptors} file descriptors`);
  }
  return samples;
}
