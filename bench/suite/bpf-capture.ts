// What it costs that connections are redirected: by programs, by rules, and not at all. The pods run all the time, and one at
// a time has load.
import type { ConnectOutcome } from '../load/connect-client.ts';
import { joinSlots, type Slot } from '../measure/measured-load.ts';
import { QuietRounds } from '../measure/quiet-rounds.ts';
import { BpfPod } from '../peers/bpf-pod.ts';

export const REDIRECTIONS = ['direct', 'iptables', 'eBPF'] as const;
export type RedirectionName = (typeof REDIRECTIONS)[number];

export type RedirectedRound = {
  // Connect to first byte, one connection after another; the mean of the round's two medians.
  readonly firstByteMicros: number;
  // A connection for each request.
  readonly closing: Slot;
  readonly keepAlive: Slot;
};

export type CaptureResult = {
  readonly rounds: ReadonlyMap<RedirectionName, readonly RedirectedRound[]>;
  readonly mostStealShare: number;
  // Entries of conntrack right after a load of short connections.
  readonly trackedConnections: ReadonlyMap<RedirectionName, number>;
};

export type RoundOptions = { readonly rounds: number; readonly slotSeconds: number };

const CONNECTIONS = 64;
const CLOSING_CONNECTIONS = 16;

export async function measureCapture({ rounds, slotSeconds }: RoundOptions): Promise<CaptureResult> {
  const pods: BpfPod[] = [];
  try {
    for (const name of REDIRECTIONS) {
      pods.push(await BpfPod.start({ name, capture: CAPTURES[name], shortcut: false }));
    }
    for (const pod of pods) await runSlots(pod, 1);
    const measured = new QuietRounds<ReadonlyMap<RedirectionName, RedirectedRound>>(rounds);
    while (!measured.isComplete) {
      const { round, stealShare } = await runRound(pods, slotSeconds);
      measured.add(round, stealShare);
      console.log(`capture: steal ${(stealShare * 100).toFixed(1)} %: ${roundLine(round)}`);
    }
    const tracked = new Map<RedirectionName, number>();
    for (const pod of pods) {
      await pod.ask({ kind: 'requests', path: '/here', connections: CLOSING_CONNECTIONS, seconds: 1, closes: true });
      const { trackedConnections } = await pod.ask({ kind: 'tracked-connections' });
      tracked.set(pod.name as RedirectionName, trackedConnections!);
    }
    const { rounds: counted, mostStealShare } = measured.select();
    const byName = new Map(REDIRECTIONS.map((name) => [name, counted.map((round) => round.get(name)!)]));
    return { rounds: byName, mostStealShare, trackedConnections: tracked };
  } finally {
    for (const pod of pods) await pod.stop();
  }
}

const CAPTURES = { direct: 'none', iptables: 'iptables', eBPF: 'ebpf' } as const;

type Slots = { readonly connects: ConnectOutcome; readonly closing: Slot; readonly keepAlive: Slot };

async function runSlots(pod: BpfPod, seconds: number): Promise<Slots & { readonly stealShare: number }> {
  const { connects } = await pod.ask({ kind: 'connects', seconds });
  const load = { kind: 'requests', path: '/here', seconds } as const;
  const { slot: closing } = await pod.ask({ ...load, connections: CLOSING_CONNECTIONS, closes: true });
  const { slot: keepAlive } = await pod.ask({ ...load, path: '/', connections: CONNECTIONS, closes: false });
  const stealShare = Math.max(connects!.stealShare, closing!.stealShare, keepAlive!.stealShare);
  return { connects: connects!, closing: closing!, keepAlive: keepAlive!, stealShare };
}

async function runRound(pods: readonly BpfPod[], seconds: number) {
  const slots = new Map<string, Slots[]>(pods.map(({ name }) => [name, []]));
  let stealShare = 0;
  for (const pod of [...pods, ...pods.toReversed()]) {
    const one = await runSlots(pod, seconds);
    slots.get(pod.name)!.push(one);
    stealShare = Math.max(stealShare, one.stealShare);
  }
  const round = new Map([...slots].map(([name, both]) => [name as RedirectionName, joined(both)]));
  return { round, stealShare };
}

function joined(slots: readonly Slots[]): RedirectedRound {
  return {
    firstByteMicros: slots.reduce((sum, { connects }) => sum + connects.medianMicros, 0) / slots.length,
    closing: joinSlots(slots.map(({ closing }) => closing)),
    keepAlive: joinSlots(slots.map(({ keepAlive }) => keepAlive)),
  };
}

function roundLine(round: ReadonlyMap<RedirectionName, RedirectedRound>): string {
  return [...round]
    .map(([name, { firstByteMicros, closing, keepAlive }]) => {
      const rate = ({ requests, seconds }: Slot): string => (requests / seconds).toFixed(0);
      return `${name} ${firstByteMicros.toFixed(0)} us, ${rate(closing)} and ${rate(keepAlive)} requests/s`;
    })
    .join('; ');
}
