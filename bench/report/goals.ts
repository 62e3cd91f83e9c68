// The goals of both engines: each a ratio of medians of one run, an outrigger's over a peer's.
import type { Slot } from '../measure/measured-load.ts';
import type { PeerName } from '../peers/peer.ts';
import { bytesPerCpuSecond, cpuMicrosPerRequest, type EngineReport } from './engine-report.ts';
import { medianOf } from './table.ts';

export type GoalOutcome = {
  readonly title: string;
  readonly goal: string;
  // null: one of the two was not measured in this run.
  readonly ratio: number | null;
  readonly verdict: string;
};

type Goal = {
  readonly title: string;
  // Whose figure is judged; outrigger's when absent.
  readonly of?: PeerName;
  readonly against: PeerName;
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
  readonly figure: (report: EngineReport, peer: PeerName) => number | null;
};

const GOALS: readonly Goal[] = [
  {
    title: 'CPU a request, 100 B, 64 connections, against Envoy bare',
    against: 'envoy',
    bound: 'at most',
    limit: 0.4,
    figure: axisCpu('small'),
  },
  {
    title: 'CPU a request, 100 B, 64 connections, against nginx',
    against: 'nginx',
    bound: 'at most',
    limit: 1.05,
    figure: axisCpu('small'),
  },
  {
    title: 'CPU a request, mesh profile, against Envoy with the same',
    against: 'envoy',
    bound: 'at most',
    limit: 0.45,
    figure: axisCpu('mesh'),
  },
  {
    title: 'tcp_proxy, 1 MiB bodies, bytes per CPU second, against Envoy',
    against: 'envoy',
    bound: 'at least',
    limit: 1.5,
    figure: axisBytes('tcp-large'),
  },
  {
    title: 'HTTP, 1 MiB bodies, bytes per CPU second, against Envoy',
    against: 'envoy',
    bound: 'at least',
    limit: 1.5,
    figure: axisBytes('large'),
  },
  {
    title: 'start to first proxied 200, against Envoy',
    against: 'envoy',
    bound: 'at most',
    limit: 1.1,
    figure: startMs,
  },
  {
    title: 'RSS after load, one worker, against Envoy',
    against: 'envoy',
    bound: 'at most',
    limit: 1.1,
    figure: loadedRss,
  },
  {
    title: 'RSS with 10,000 clusters and virtual hosts, against Envoy',
    against: 'envoy',
    bound: 'at most',
    limit: 0.4,
    figure: scaledRss,
  },
  {
    title: 'second engine: requests/s, 100 B, 64 connections, against Envoy bare',
    of: 'outrigger-uws',
    against: 'envoy',
    bound: 'at least',
    limit: 1.6,
    figure: axisRate('small'),
  },
  {
    title: 'second engine: RSS after load, one worker, against the default engine',
    of: 'outrigger-uws',
    against: 'outrigger',
    bound: 'at most',
    limit: 1.5,
    figure: loadedRss,
  },
];

export function judgeGoals(report: EngineReport): readonly GoalOutcome[] {
  return GOALS.map((one) => {
    const ours = one.figure(report, one.of ?? 'outrigger');
    const theirs = one.figure(report, one.against);
    const ratio = ours === null || theirs === null ? null : ours / theirs;
    return { title: one.title, goal: `${one.bound} ${one.limit.toFixed(2)}`, ratio, verdict: verdict(one, ratio) };
  });
}

function verdict(one: Goal, ratio: number | null): string {
  if (ratio === null) return 'not measured in this run';
  if (one.bound === 'at most' ? ratio <= one.limit : ratio >= one.limit) return 'met';
  const distance = one.bound === 'at most' ? ratio / one.limit - 1 : 1 - ratio / one.limit;
  return `missed by ${(distance * 100).toFixed(0)} %`;
}

function axisCpu(axis: string): Goal['figure'] {
  return (report, peer) => medianOf(slotsOf(report, axis, peer).map(cpuMicrosPerRequest));
}

function axisRate(axis: string): Goal['figure'] {
  return (report, peer) => medianOf(slotsOf(report, axis, peer).map((slot) => slot.requests / slot.seconds));
}

function axisBytes(axis: string): Goal['figure'] {
  return (report, peer) => medianOf(slotsOf(report, axis, peer).map(bytesPerCpuSecond));
}

function slotsOf(report: EngineReport, axis: string, peer: PeerName): readonly Slot[] {
  return report.axes.find((result) => result.axis.name === axis)?.rounds.get(peer) ?? [];
}

function startMs(report: EngineReport, peer: PeerName): number | null {
  return medianOf(report.start?.get(peer) ?? []);
}

function loadedRss(report: EngineReport, peer: PeerName): number | null {
  return medianOf((report.memory?.get(peer) ?? []).map((sample) => sample.loaded.rssBytes));
}

// After load, the less favourable reading for a heap that grows with use.
function scaledRss(report: EngineReport, peer: PeerName): number | null {
  const row = report.scale.find((one) => one.clusters === 10_000);
  return medianOf((row?.samples.get(peer) ?? []).map((sample) => sample.loadedRssBytes));
}
