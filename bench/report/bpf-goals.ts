// The goals of redirection, short-circuit and events: each a ratio within one run, round by round, or a count.
import type { RedirectedRound } from '../suite/bpf-capture.ts';
import type { ShortcutRound } from '../suite/bpf-shortcut.ts';
import { type BpfReport, rateOf } from './bpf-report.ts';
import { medianOf } from './table.ts';

export type BpfGoal = {
  readonly title: string;
  readonly goal: string;
  readonly measured: string;
  readonly verdict: 'met' | 'missed' | 'not measured in this run';
};

// Two runs of one and the same differ by this much: less is no difference.
const RESOLUTION = 0.02;
const LEAST_SHORTCUT_GAIN = 0.12;
const LEAST_READING_RATIO = 3;
const LEAST_LIVE_PER_SECOND = 200_000;
const MOST_LOAD_MS = 30;

export function judgeBpfGoals(report: BpfReport): readonly BpfGoal[] {
  return [...captureGoals(report), ...shortcutGoals(report), ...eventGoals(report), loadGoal(report)];
}

function captureGoals({ capture }: BpfReport): readonly BpfGoal[] {
  const compared = (figure: (round: RedirectedRound) => number): number | null => {
    const [ours, theirs] = [capture?.rounds.get('eBPF') ?? [], capture?.rounds.get('iptables') ?? []];
    return medianOf(ours.map((round, index) => figure(round) / figure(theirs[index]!)));
  };
  const tracked = capture?.trackedConnections.get('eBPF') ?? null;
  return [
    ratioGoal(
      'eBPF against iptables: connect to first byte',
      compared(({ firstByteMicros }) => firstByteMicros),
      {
        most: 1 + RESOLUTION,
      },
    ),
    ratioGoal(
      'eBPF against iptables: requests/s, a connection each',
      compared(({ closing }) => rateOf(closing)),
      {
        least: 1 - RESOLUTION,
      },
    ),
    ratioGoal(
      'eBPF against iptables: requests/s, kept connections',
      compared(({ keepAlive }) => rateOf(keepAlive)),
      {
        least: 1 - RESOLUTION,
      },
    ),
    goal('conntrack entries with eBPF', 'none', tracked, (count) => ({ isMet: count === 0, text: String(count) })),
  ];
}

function shortcutGoals({ shortcut }: BpfReport): readonly BpfGoal[] {
  const gain = (load: keyof ShortcutRound): number | null =>
    medianOf((shortcut?.with ?? []).map((round, at) => rateOf(round[load]) / rateOf(shortcut!.without[at]![load]) - 1));
  const signed = (share: number): string => `${share < 0 ? '' : '+'}${(share * 100).toFixed(1)} %`;
  return [
    goal('short-circuit: requests/s, 64 kept connections', 'at least +12 %', gain('keepAlive'), (share) => ({
      isMet: share >= LEAST_SHORTCUT_GAIN,
      text: signed(share),
    })),
    goal('short-circuit: 1 MiB bodies', `no loss (${signed(-RESOLUTION)})`, gain('bulk'), (share) => ({
      isMet: share >= -RESOLUTION,
      text: signed(share),
    })),
  ];
}

function eventGoals({ events }: BpfReport): readonly BpfGoal[] {
  // The faster of those that copy: what is decoded as a whole is slower for that, too.
  const ratio = medianOf((events?.ring ?? []).map((each, round) => each / events!.copied[round]!));
  const live = events?.live ?? null;
  const stopped = events?.stopped ?? null;
  return [
    ratioGoal('events read a second, against copying', ratio, { least: LEAST_READING_RATIO }),
    goal('events lost at 200 k/s', 'none', live, ({ lost, made, read, seconds }) => ({
      isMet: lost === 0 && read === made && made / seconds >= LEAST_LIVE_PER_SECOND * (1 - RESOLUTION),
      text: `${lost} of ${made}`,
    })),
    goal('events lost while nobody reads: counted', 'all', stopped, ({ lost, made, read }) => ({
      isMet: lost > 0 && lost + read === made,
      text: `${lost} of ${made - read}`,
    })),
  ];
}

function loadGoal({ loading }: BpfReport): BpfGoal {
  return goal(
    'load and attach everything, median',
    `under ${MOST_LOAD_MS} ms`,
    medianOf(loading?.allMs ?? []),
    (median) => ({
      isMet: median < MOST_LOAD_MS,
      text: `${median.toFixed(1)} ms`,
    }),
  );
}

function ratioGoal(title: string, ratio: number | null, bound: { readonly most?: number; readonly least?: number }) {
  const { most = Number.POSITIVE_INFINITY, least = 0 } = bound;
  const wanted = bound.most === undefined ? `at least ${least.toFixed(2)}` : `at most ${most.toFixed(2)}`;
  return goal(title, wanted, ratio, (value) => ({ isMet: value <= most && value >= least, text: value.toFixed(2) }));
}

function goal<Figure>(
  title: string,
  wanted: string,
  figure: Figure | null,
  judge: (figure: Figure) => { readonly isMet: boolean; readonly text: string },
): BpfGoal {
  if (figure === null) return { title, goal: wanted, measured: '-', verdict: 'not measured in this run' };
  const { isMet, text } = judge(figure);
  return { title, goal: wanted, measured: text, verdict: isMet ? 'met' : 'missed' };
}
