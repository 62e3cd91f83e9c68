// One slot of a measurement: a load on one proxy, with the CPU it took and what the cores did meanwhile.
import { busyShare, elapsedCoreTime, readCoreTimes, stealShare } from './core-time.ts';
import { type CpuTime, readCpuTime } from './process-cpu.ts';

export type Load = { readonly requests: number; readonly bytes: number; readonly seconds: number };

export type Slot = Load & {
  readonly userMs: number;
  readonly systemMs: number;
  readonly stealShare: number;
  // CPU on the proxy's core that was not the proxy: another program disturbed the slot.
  readonly strangerShare: number;
  readonly proxyCoreBusy: number;
  readonly loadCoreBusy: number;
};

// `pids`: the proxy, or those that carry the load one after the other.
export async function measureLoad(pids: number | readonly number[], load: () => Promise<Load>): Promise<Slot> {
  const coresBefore = readCoreTimes();
  const before = cpuOf(pids);
  const done = await load();
  const after = cpuOf(pids);
  const cores = readCoreTimes().map((core, index) => elapsedCoreTime(coresBefore[index]!, core));
  const [proxyCore, loadCore] = cores;
  if (proxyCore === undefined || loadCore === undefined) throw new Error('the comparison needs two cores');
  const userMs = after.userMs - before.userMs;
  const systemMs = after.systemMs - before.systemMs;
  const strangerMs = Math.max(0, proxyCore.busyMs - userMs - systemMs);
  return {
    ...done,
    userMs,
    systemMs,
    stealShare: Math.max(stealShare(proxyCore), stealShare(loadCore)),
    strangerShare: strangerMs / (proxyCore.busyMs + proxyCore.idleMs + proxyCore.stealMs || 1),
    proxyCoreBusy: busyShare(proxyCore),
    loadCoreBusy: busyShare(loadCore),
  };
}

function cpuOf(pids: number | readonly number[]): CpuTime {
  const times = (typeof pids === 'number' ? [pids] : pids).map(readCpuTime);
  const sum = (pick: (time: CpuTime) => number) => times.reduce((total, time) => total + pick(time), 0);
  return { userMs: sum(({ userMs }) => userMs), systemMs: sum(({ systemMs }) => systemMs) };
}

// The two slots of a peer in one round, as one: their sum cancels a drift that is linear over the round.
export function joinSlots(slots: readonly Slot[]): Slot {
  const sum = (pick: (slot: Slot) => number) => slots.reduce((total, slot) => total + pick(slot), 0);
  const mean = (pick: (slot: Slot) => number) => sum(pick) / slots.length;
  return {
    requests: sum((slot) => slot.requests),
    bytes: sum((slot) => slot.bytes),
    seconds: sum((slot) => slot.seconds),
    userMs: sum((slot) => slot.userMs),
    systemMs: sum((slot) => slot.systemMs),
    stealShare: Math.max(...slots.map((slot) => slot.stealShare)),
    strangerShare: mean((slot) => slot.strangerShare),
    proxyCoreBusy: mean((slot) => slot.proxyCoreBusy),
    loadCoreBusy: mean((slot) => slot.loadCoreBusy),
  };
}
