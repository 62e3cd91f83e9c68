// Goals of the xds suite, and its tables.
import t from 'tap';
import type { WatchedOutcome } from '../../../bench/load/undisturbed.ts';
import { judgeXdsGoals, renderXdsResults, type XdsReport, type XdsSample } from '../../../bench/report/xds-results.ts';
import type { Change } from '../../../bench/suite/xds-changed-endpoint.ts';
import { onlyItems } from '../../support/only-items.ts';

const HELD_UP_MS = 70;

function outcome(p99Micros: number): WatchedOutcome {
  const all = { requests: 2, p50Micros: 1, p99Micros: HELD_UP_MS * 1_000, lagP99Micros: 0 };
  return { ...all, undisturbed: { requests: 1, p99Micros } };
}

function undisturbed(changesMs: readonly number[]): Change[] {
  return changesMs.map((ms) => ({ ms, disturbed: false }));
}

// In each of which the host held up one request of two, and one change more than there are in `changesMs`.
function sample(servingMs: number, p99Micros: number, changesMs: readonly number[] = [1]): XdsSample {
  const pushed = outcome(p99Micros);
  const load = { quiet: outcome(100), changes: pushed, push: pushed, laterPushes: [outcome(1), pushed, outcome(1e6)] };
  const changes = [...undisturbed(changesMs), { ms: HELD_UP_MS, disturbed: true }];
  return { servingMs, cpuMs: servingMs, rssBytes: servingMs * 2 ** 20, earlyChanges: changes, changes, load };
}

function report(samples: XdsReport['samples']): XdsReport {
  return { machine: ['CPU: one'], versions: new Map([['envoy', '1']]), clusters: 10_000, samples };
}

function verdicts(of: XdsReport): readonly string[] {
  return judgeXdsGoals(of).map((goal) => goal.verdict);
}

t.test('goals are ratios of medians, to Envoy or to quiet; the p99 of a change is absolute', async (t) => {
  const envoy = [sample(100, 300), sample(120, 300), sample(900, 300)];
  const better = [sample(40, 120), sample(40, 120), sample(500, 120)];
  t.same(
    new Set(
      verdicts(
        report(
          new Map([
            ['envoy', envoy],
            ['outrigger', better],
          ]),
        ),
      ),
    ),
    new Set(['met']),
  );
  const worse = [sample(200, 400, [50])];
  t.same(
    new Set(
      verdicts(
        report(
          new Map([
            ['envoy', envoy],
            ['outrigger', worse],
          ]),
        ),
      ),
    ),
    new Set(['missed']),
  );
});

function inPush(quietMs: number, pushMs: number): XdsSample {
  const one = sample(10, pushMs * 1_000);
  return { ...one, load: { ...one.load, quiet: outcome(quietMs * 1_000) } };
}

function judgedPush(envoy: readonly XdsSample[], outrigger: readonly XdsSample[]) {
  const samples: XdsReport['samples'] = new Map([
    ['envoy', envoy],
    ['outrigger', outrigger],
  ]);
  return judgeXdsGoals(report(samples)).find(({ title }) => title === 'added p99, everything pushed anew');
}

t.test('what a push adds is judged by the difference to Envoy, as ms of the same round', async (t) => {
  t.match(judgedPush([inPush(4.5, 6.1)], [inPush(2.1, 9.2)]), {
    measured: '7.1 ms, Envoy 1.6 ms, varies by 0.0 ms',
    verdict: 'missed',
  });
  t.match(judgedPush([inPush(4.5, 4.1)], [inPush(2.1, 1.6)]), {
    measured: '-0.5 ms, Envoy -0.4 ms, varies by 0.0 ms',
    verdict: 'met',
  });
});

t.test('no more is forgiven than the quiet p99 of the steadier proxy varies by', async (t) => {
  const envoy = [inPush(4, 5), inPush(6, 7), inPush(9, 10)];
  const steady = (addedMs: number) => [2, 2.5, 3].map((quietMs) => inPush(quietMs, quietMs + addedMs));
  t.match(judgedPush(envoy, steady(2)), { measured: '2.0 ms, Envoy 1.0 ms, varies by 1.0 ms', verdict: 'met' });
  t.match(judgedPush(envoy, steady(2.5)), { measured: '2.5 ms, Envoy 1.0 ms, varies by 1.0 ms', verdict: 'missed' });
});

t.test("the ratio of p99 beside changes is outrigger's own, with Envoy's beside it", async (t) => {
  const samples: XdsReport['samples'] = new Map([
    ['envoy', [sample(100, 90)]],
    ['outrigger', [sample(10, 140)]],
  ]);
  t.match(judgeXdsGoals(report(samples))[6], { measured: '1.40, Envoy 0.90', verdict: 'missed' });
});

t.test('a run with one proxy gives no verdict', async (t) => {
  const alone = report(new Map([['envoy', [sample(100, 200)]]]));
  t.same(new Set(verdicts(alone)), new Set(['not measured in this run']));
  t.match(renderXdsResults(alone), /\n\| envoy \| 100 \| 100 \| 100\.0 \|\n/);
});

t.test('quantiles are taken over the changes of all rounds', async (t) => {
  const rounds = [sample(1, 1, Array(99).fill(2)), sample(1, 1, Array(1).fill(30))];
  const text = renderXdsResults(report(new Map([['outrigger', rounds]])));
  t.match(text, /\| outrigger \| 2\.0 \| 2\.0 \| 2\.0 \| 2\.0 \| 30\.0 \| 200 of 204 \|/);
});

t.test('what the host held up stands beside the figures that are judged, and how much that was', async (t) => {
  const text = renderXdsResults(report(new Map([['outrigger', [sample(1, 200, [2, 4])]]])));
  t.match(text, /\| outrigger \| 2\.0 \| 4\.0 \| 2\.0 \| 4\.0 \| 4\.0 \| 4 of 6 \|/);
  t.match(text, /\| outrigger \| 4\.0 \| 70\.0 \| 4\.0 \| 70\.0 \| 70\.0 \| 6 of 6 \|/);
  t.match(text, /\| outrigger \| 100 \| 200 \| 200 \| 200 \| 6 of 12 \|/);
  t.match(text, /\| outrigger \| 70 000 \| 70 000 \| 70 000 \| 70 000 \| 12 of 12 \|/);
});

t.test('of changes that were all held up nothing is said', async (t) => {
  const samples: XdsReport['samples'] = new Map([['outrigger', [sample(1, 1, [])]]]);
  t.throws(() => renderXdsResults(report(samples)), /held up every change/);
});

t.test('changes early in a process are judged by themselves', async (t) => {
  const samples: XdsReport['samples'] = new Map([
    ['envoy', [sample(100, 90, [3])]],
    ['outrigger', [{ ...sample(10, 90, [2]), earlyChanges: undisturbed([30]) }]],
  ]);
  const goals = judgeXdsGoals(report(samples));
  t.match(
    goals.slice(1, 5),
    onlyItems(
      { title: 'one changed endpoint, median', measured: '0.67', verdict: 'met' },
      { title: '… early in a process', measured: '10.00', verdict: 'missed' },
      { title: 'one changed endpoint, p99', measured: '2.0 ms', verdict: 'met' },
      { title: '… early in a process', measured: '30.0 ms', verdict: 'missed' },
    ),
  );
});
