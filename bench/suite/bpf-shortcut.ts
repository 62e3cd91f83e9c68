// What the short-circuit is worth where both legs of a request are within the pod: from the application to its sidecar, and
// from the sidecar to an origin beside it.
import { joinSlots, type Slot } from '../measure/measured-load.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import { BpfPod } from '../peers/bpf-pod.ts';
import type { RoundOptions } from './bpf-capture.ts';

export type ShortcutRound = {
  // 100 B on 64 connections that are kept.
  readonly keepAlive: Slot;
  // The same on one connection: latency alone.
  readonly single: Slot;
  // 1 MiB bodies: one-way streams, which the guard hands to TCP.
  readonly bulk: Slot;
};

export type ShortcutResult = {
  readonly without: readonly ShortcutRound[];
  readonly with: readonly ShortcutRound[];
  readonly mostStealShare: number;
  // What /capture counted with it, so that a reader sees that it was at work.
  readonly counters: Readonly<Record<string, number>>;
};

const LOADS = {
  keepAlive: { path: '/', connections: 64 },
  single: { path: '/', connections: 1 },
  bulk: { path: '/large', connections: 16 },
} as const;

export async function measureShortcut({ rounds, slotSeconds }: RoundOptions): Promise<ShortcutResult> {
  const pods: BpfPod[] = [];
  try {
    for (const shortcut of [false, true]) {
      pods.push(await BpfPod.start({ name: shortcut ? 'with' : 'without', capture: 'ebpf', shortcut }));
    }
    const counters = await shortcutCounters(pods[1]!);
    if (counters === undefined) throw new Error('the short-circuit is off: see what `outrigger bpf doctor` says of it');
    for (const pod of pods) await runSlots(pod, 1);
    const measured = new QuietRounds<readonly ShortcutRound[]>(rounds);
    while (!measured.isComplete) {
      const round = await runRound(pods, slotSeconds);
      const stealShare = Math.max(...round.flatMap((one) => Object.values(one).map((slot) => slot.stealShare)));
      measured.add(round, stealShare);
      console.log(`short-circuit: steal ${(stealShare * 100).toFixed(1)} %: ${roundLine(round)}`);
    }
    const selected = measured.select();
    const [without, with_] = [0, 1].map((index) => selected.rounds.map((round) => round[index]!));
    const counted = (await shortcutCounters(pods[1]!))!;
    return { without: without!, with: with_!, mostStealShare: selected.mostStealShare, counters: counted };
  } finally {
    for (const pod of pods) await pod.stop();
  }
}

async function shortcutCounters(pod: BpfPod): Promise<Readonly<Record<string, number>> | undefined> {
  const { capture } = await pod.ask({ kind: 'capture' });
  return capture!.counters.find(({ group }) => group === 'short-circuit')?.counts;
}

async function runSlots(pod: BpfPod, seconds: number): Promise<ShortcutRound> {
  const slots: Partial<Record<keyof ShortcutRound, Slot>> = {};
  for (const name of ['keepAlive', 'single', 'bulk'] as const) {
    const { slot } = await pod.ask({ kind: 'requests', ...LOADS[name], seconds, closes: false });
    slots[name] = slot!;
  }
  return slots as ShortcutRound;
}

async function runRound(pods: readonly BpfPod[], seconds: number): Promise<readonly ShortcutRound[]> {
  const rounds = pods.map((): ShortcutRound[] => []);
  for (const index of [0, 1, 1, 0]) rounds[index]!.push(await runSlots(pods[index]!, seconds));
  return rounds.map((both) => ({
    keepAlive: joinSlots(both.map(({ keepAlive }) => keepAlive)),
    single: joinSlots(both.map(({ single }) => single)),
    bulk: joinSlots(both.map(({ bulk }) => bulk)),
  }));
}

function roundLine([without, with_]: readonly ShortcutRound[]): string {
  const gain = (load: keyof ShortcutRound): string => {
    const rate = ({ requests, seconds }: Slot): number => requests / seconds;
    return `${load} ${((rate(with_![load]) / rate(without![load]) - 1) * 100).toFixed(0)} %`;
  };
  return (['keepAlive', 'single', 'bulk'] as const).map(gain).join(', ');
}
