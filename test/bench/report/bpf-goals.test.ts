import t from 'tap';
import type { Slot } from '../../../bench/measure/measured-load.ts';
import { judgeBpfGoals } from '../../../bench/report/bpf-goals.ts';
import type { BpfReport } from '../../../bench/report/bpf-report.ts';
import { renderBpfResults } from '../../../bench/report/bpf-results.ts';
import type { RedirectedRound } from '../../../bench/suite/bpf-capture.ts';

function slot(requests: number): Slot {
  return {
    requests,
    bytes: 0,
    seconds: 1,
    userMs: 10,
    systemMs: 10,
    stealShare: 0,
    strangerShare: 0,
    proxyCoreBusy: 1,
    loadCoreBusy: 0.5,
  };
}

const redirected = (firstByteMicros: number, requests: number): RedirectedRound => ({
  firstByteMicros,
  closing: slot(requests),
  keepAlive: slot(requests),
});

const shorted = (requests: number) => ({ keepAlive: slot(requests), single: slot(requests), bulk: slot(requests) });

const good: BpfReport = {
  machine: ['a machine'],
  capture: {
    rounds: new Map([
      ['direct', [redirected(90, 1100), redirected(90, 1100)]],
      ['iptables', [redirected(100, 1000), redirected(200, 500)]],
      ['eBPF', [redirected(101, 990), redirected(202, 495)]],
    ]),
    mostStealShare: 0,
    trackedConnections: new Map([
      ['direct', 0],
      ['iptables', 4000],
      ['eBPF', 0],
    ]),
  },
  shortcut: { without: [shorted(1000)], with: [shorted(1120)], mostStealShare: 0, counters: { redirected_bytes: 7 } },
  events: {
    ring: [9e6],
    copied: [3e6],
    copiedAndDecoded: [5e5],
    live: { made: 1_000_000, read: 1_000_000, lost: 0, seconds: 5, readerCpuMs: 100, longestAwayMs: 25, roomMs: 154 },
    stopped: { made: 200_000, read: 7000, lost: 193_000, seconds: 1 },
  },
  loading: { allMs: [20, 25, 40], redirectionMs: [10, 15, 30], cpuMs: [20, 30, 35] },
};

const missed = (report: BpfReport): readonly string[] =>
  judgeBpfGoals(report)
    .filter(({ verdict }) => verdict === 'missed')
    .map(({ title }) => title);

t.test('goals are met within the resolution, round by round', async (t) => {
  t.same(missed(good), []);
  t.equal(judgeBpfGoals(good)[0]?.measured, '1.01');
});

t.test('each goal is missed by what it forbids', async (t) => {
  const { capture, shortcut, events } = good as Required<BpfReport>;
  const slow = new Map([...capture.rounds, ['eBPF', [redirected(110, 900), redirected(220, 450)]] as const]);
  t.equal(missed({ ...good, capture: { ...capture, rounds: slow } }).length, 3);
  const tracked = new Map([['eBPF', 1]] as const);
  t.same(missed({ ...good, capture: { ...capture, trackedConnections: tracked } }), ['conntrack entries with eBPF']);
  t.equal(missed({ ...good, shortcut: { ...shortcut, with: [shorted(970)] } }).length, 2);
  t.equal(missed({ ...good, events: { ...events, ring: [8e6] } }).length, 1);
  t.equal(missed({ ...good, events: { ...events, live: { ...events.live, read: 999_999 } } }).length, 1);
  t.equal(missed({ ...good, events: { ...events, stopped: { ...events.stopped, lost: 1 } } }).length, 1);
  t.equal(missed({ ...good, loading: { allMs: [31], redirectionMs: [31], cpuMs: [31] } }).length, 1);
});

t.test('what was not measured is no goal met', async (t) => {
  for (const { verdict } of judgeBpfGoals({ machine: [] })) t.equal(verdict, 'not measured in this run');
});

t.test('the report has a section for each part that was measured', async (t) => {
  const headings = (report: BpfReport) =>
    [...renderBpfResults(report).matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  t.equal(headings(good).length, 6);
  t.equal(headings({ machine: [] }).length, 2);
  t.match(renderBpfResults(good), '| eBPF | 151.5 (101.0-202.0) |');
});
