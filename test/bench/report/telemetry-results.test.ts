// Goals of the telemetry suite, and its tables.
import t from 'tap';
import type { Slot } from '../../../bench/measure/measured-load.ts';
import {
  judgeTelemetryGoals,
  renderTelemetryResults,
  type TelemetryReport,
  type TracedSlots,
} from '../../../bench/report/telemetry-results.ts';

// 1,000 requests in a second.
function slot(cpuMicros: number): Slot {
  const idle = { stealShare: 0, strangerShare: 0, proxyCoreBusy: 0, loadCoreBusy: 0 };
  return { requests: 1_000, bytes: 0, seconds: 1, userMs: cpuMicros, systemMs: 0, ...idle };
}

const traced = (peer: TracedSlots['peer'], percent: number | null, micros: readonly number[]): TracedSlots => ({
  peer,
  percent,
  slots: micros.map(slot),
});

const million: TelemetryReport['million'] = {
  offered: 1_000_000,
  seconds: 60,
  kept: 37_000,
  errorsSent: 40,
  errorsKept: 40,
  errorsMiscounted: 0,
  // The middle one counts.
  pairs: [
    { off: slot(100), on: slot(150) },
    { off: slot(900), on: slot(910) },
    { off: slot(100), on: slot(900) },
  ],
  turnSeconds: 1,
  mostStealShare: 0.004,
  addedBytes: 30 * 2 ** 20,
};

const good: TelemetryReport = {
  machine: ['CPU: one'],
  mostStealShare: 0.004,
  traced: [
    traced('envoy', null, [40, 40, 40]),
    traced('envoy', 100, [60, 60, 60]),
    traced('outrigger', null, [10, 20, 10]),
    traced('outrigger', 1, [10.4, 20.4, 10.4]),
    traced('outrigger', 100, [20, 30, 20]),
  ],
  million,
};

const verdicts = (report: TelemetryReport) => judgeTelemetryGoals(report).map(({ verdict }) => verdict);

t.test('what tracing adds is taken round by round', async (t) => {
  t.same(verdicts(good), ['met', 'met', 'met', 'met', 'met']);
  t.same(
    judgeTelemetryGoals(good).map(({ measured }) => measured),
    ['+4.0 %', '0.50', '5.0 %', '30.0 MiB', '40 of 40, 0 miscounted'],
  );
});

t.test('each goal can be missed', async (t) => {
  const dear = [
    ...good.traced.slice(0, 3),
    traced('outrigger', 1, [12, 22, 12]),
    traced('outrigger', 100, [30, 40, 30]),
  ];
  const pairs = [{ off: slot(100), on: slot(200) }];
  const worse = { ...million, pairs, addedBytes: 50 * 2 ** 20, errorsMiscounted: 1 };
  t.same(verdicts({ ...good, traced: dear, million: worse }), ['missed', 'missed', 'missed', 'missed', 'missed']);
  t.equal(verdicts({ ...good, million: { ...million, errorsKept: 39 } })[4], 'missed');
});

t.test('without Envoy its comparison has no verdict', async (t) => {
  t.equal(verdicts({ ...good, traced: good.traced.slice(2) })[1], 'not measured in this run');
});

t.test('the page has its title, the goals and both tables', async (t) => {
  const page = renderTelemetryResults(good);
  t.match(page, /^# Telemetry benchmark results\n/);
  t.match(page, '| envoy | 100 % | 60.0 | 20.0 |');
  t.match(page, '| kept | 37000 (3.7 %) |');
  t.match(page, 'Steal at most 0.4 %.');
});
