// A proxy that has nothing connects to a control plane that has everything. From the control plane's first send to the
// first proxied 200 for the last virtual host; then the memory that this configuration takes.
import { setTimeout } from 'node:timers/promises';
import { readCpuTime } from '../measure/process-cpu.ts';
import { readMemory } from '../measure/process-memory.ts';
import { wallMicros } from '../measure/wall-clock.ts';
import type { ControlPlane } from '../peers/go-control-plane.ts';
import type { Peer } from '../peers/peer.ts';
import { type RunningPeer, startPeer } from '../peers/running-peer.ts';

// Both proxies tidy up after a configuration; outrigger one second after it serves.
const SETTLE_MS = 3_000;

export type FirstPush = {
  readonly servingMs: number;
  // Of all threads from the start of the process until then.
  readonly cpuMs: number;
  readonly rssBytes: number;
};

export type FirstPushOptions = {
  readonly controlPlane: ControlPlane;
  readonly clusters: number;
  readonly originPort: number;
  readonly httpPort: number;
};

// The proxy is left running, with its configuration.
export async function measureFirstPush(
  peer: Peer,
  options: FirstPushOptions,
): Promise<{ push: FirstPush; running: RunningPeer }> {
  const { controlPlane, clusters, originPort, httpPort } = options;
  const startedAt = wallMicros(performance.now());
  const dynamic = { controlPlanePort: controlPlane.xdsPort, httpPort };
  const running = await startPeer(peer, { profile: 'bare', clusters, originPort, dynamic });
  const servedAt = wallMicros(performance.now());
  const { userMs, systemMs } = readCpuTime(running.pid);
  const { responses } = await controlPlane.status();
  const first = responses.find((response) => response.sent_at_us >= startedAt);
  if (first === undefined) throw new Error(`${peer.name} answered before the control plane sent anything`);
  refuseNacks(peer, responses);
  await setTimeout(SETTLE_MS);
  const { rssBytes } = readMemory(running.pid);
  return { push: { servingMs: (servedAt - first.sent_at_us) / 1000, cpuMs: userMs + systemMs, rssBytes }, running };
}

function refuseNacks(peer: Peer, responses: Awaited<ReturnType<ControlPlane['status']>>['responses']): void {
  const refused = responses.find((response) => response.nack !== undefined);
  if (refused !== undefined) throw new Error(`${peer.name} refused ${refused.type_url}: ${refused.nack}`);
}
