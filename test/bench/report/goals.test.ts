// Goals are judged from what one run measured, and only from that.
import t from 'tap';
import type { Slot } from '../../../bench/measure/measured-load.ts';
import type { PeerName } from '../../../bench/peers/peer.ts';
import type { EngineReport } from '../../../bench/report/engine-report.ts';
import { judgeGoals } from '../../../bench/report/goals.ts';
import { renderResults } from '../../../bench/report/results.ts';
import { AXES } from '../../../bench/suite/axes.ts';

const slot = (cpuMs: number): Slot => ({
  requests: 1000,
  bytes: 1e6,
  seconds: 1,
  userMs: cpuMs,
  systemMs: 0,
  stealShare: 0,
  strangerShare: 0,
  proxyCoreBusy: 1,
  loadCoreBusy: 0.5,
});

function reportOf(cpuMs: Partial<Record<PeerName, number>>): EngineReport {
  const rounds = new Map(Object.entries(cpuMs).map(([name, own]) => [name as PeerName, [slot(own)]]));
  const axes = AXES.filter((axis) => axis.name === 'small' || axis.name === 'large');
  return {
    machine: ['CPU: test'],
    versions: new Map([['envoy', '1']]),
    absent: [],
    rounds: 1,
    slotSeconds: 1,
    axes: axes.map((axis) => ({ axis, rounds, discardedRounds: 2, mostStealShare: 0.034 })),
    latency: null,
    memory: null,
    start: new Map(Object.keys(cpuMs).map((name) => [name as PeerName, [60, 70, 80]])),
    scale: [],
  };
}

const goalOf = (report: EngineReport, title: string) => judgeGoals(report).find((one) => one.title.startsWith(title))!;

t.test('a ratio on the right side of the limit is met', async (t) => {
  const report = reportOf({ outrigger: 16, envoy: 40, nginx: 16 });
  t.match(goalOf(report, 'CPU a request, 100 B, 64 connections, against Envoy'), { ratio: 0.4, verdict: 'met' });
  t.match(goalOf(report, 'HTTP, 1 MiB'), { ratio: 2.5, verdict: 'met' });
});

t.test('a miss says by how much of the limit, in both directions', async (t) => {
  const report = reportOf({ outrigger: 40, envoy: 40, nginx: 20 });
  t.match(goalOf(report, 'CPU a request, 100 B, 64 connections, against Envoy'), { verdict: 'missed by 150 %' });
  t.match(goalOf(report, 'HTTP, 1 MiB'), { ratio: 1, verdict: 'missed by 33 %' });
});

t.test('the second engine is judged by what it serves of Envoy, and by its memory beside the first', async (t) => {
  const requests = (count: number) => ({ ...slot(1), requests: count, seconds: 2 });
  const loaded = (rssBytes: number) => [{ idle: { rssBytes: 1 }, loaded: { rssBytes } }];
  const report = {
    ...reportOf({}),
    axes: reportOf({}).axes.map((axis) => ({
      ...axis,
      rounds: new Map([
        ['outrigger', [requests(9000)]],
        ['outrigger-uws', [1, 5000, 3000].map(requests)],
        ['envoy', [requests(2000)]],
      ]),
    })),
    memory: new Map([
      ['outrigger', loaded(100)],
      ['outrigger-uws', loaded(160)],
      ['envoy', loaded(1000)],
    ]),
  } as unknown as EngineReport;
  t.match(goalOf(report, 'second engine: requests/s'), { goal: 'at least 1.60', ratio: 1.5, verdict: 'missed by 6 %' });
  t.match(goalOf(report, 'second engine: RSS'), { goal: 'at most 1.50', ratio: 1.6, verdict: 'missed by 7 %' });
  for (const title of ['second engine: requests/s', 'second engine: RSS'])
    t.match(goalOf(reportOf({ outrigger: 1, envoy: 1 }), title), { ratio: null, verdict: 'not measured in this run' });
});

t.test('without outrigger, or without the axis, nothing is claimed', async (t) => {
  t.match(goalOf(reportOf({ envoy: 40 }), 'CPU a request, 100 B'), {
    ratio: null,
    verdict: 'not measured in this run',
  });
  t.match(goalOf(reportOf({ outrigger: 1, envoy: 1 }), 'tcp_proxy'), { verdict: 'not measured in this run' });
});

t.test(
  'the report shows goals, figures and how disturbed they are, and a dash for a peer without a round',
  async (t) => {
    const report = reportOf({ outrigger: 16, envoy: 40 });
    const text = renderResults(report);
    t.match(text, '| outrigger | 1 000 | 16.0 | 16.0 | 0.0 | 60 | 0 |');
    t.match(text, 'Disturbed: up to 3.4 % steal in these rounds, the quietest; 2 others were left out.');
    t.match(text, '| envoy | 70.0 (60.0-80.0) |');
    const empty = {
      ...report,
      axes: report.axes.map((axis) => ({ ...axis, rounds: new Map([['envoy', []]] as const) })),
    };
    t.match(renderResults(empty as unknown as EngineReport), '| envoy | - | - |');
  },
);
