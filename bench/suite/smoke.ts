// A short run for CI: outrigger alone, a few axes, a few seconds. Figures are printed for the reader; only a wrong
// answer or an error fails it, because a shared CI machine says nothing about speed.
import { ensureWrk } from '../load/wrk.ts';
import { nginx } from '../peers/nginx.ts';
import { startOrigin } from '../peers/origin.ts';
import { outrigger } from '../peers/outrigger.ts';
import { startPeer } from '../peers/running-peer.ts';
import { cpuMicrosPerRequest } from '../report/engine-report.ts';
import { AXES } from './axes.ts';
import { runSlot } from './throughput.ts';

const AXIS_NAMES = ['small', 'mesh', 'post-small', 'large', 'tcp-small'];
const SLOT_SECONDS = 2;

export async function runSmoke(): Promise<void> {
  try {
    ensureWrk();
    nginx.install();
  } catch (error) {
    // wrk and the origin are Debian's: without them there is no load to run, which is no fault of outrigger.
    console.log(`bench smoke left out: ${(error as Error).message}`);
    return;
  }
  outrigger.install();
  const origin = await startOrigin();
  for (const profile of ['bare', 'mesh'] as const) {
    const running = await startPeer(outrigger, { profile, clusters: 1, originPort: origin.port });
    for (const axis of AXES.filter((one) => one.profile === profile && AXIS_NAMES.includes(one.name))) {
      const slot = await runSlot(axis, running, SLOT_SECONDS);
      const rate = Math.round(slot.requests / slot.seconds);
      console.log(`${axis.title}: ${rate} requests/s, ${cpuMicrosPerRequest(slot).toFixed(1)} us CPU a request`);
    }
    await running.stop();
  }
  await origin.stop();
}
