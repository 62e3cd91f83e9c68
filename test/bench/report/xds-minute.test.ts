import t from 'tap';
import type { WatchedOutcome } from '../../../bench/load/undisturbed.ts';
import { renderMinute, withMinute } from '../../../bench/report/xds-minute.ts';

const outcome = (p99Micros: number): WatchedOutcome => ({
  requests: 10_000,
  p50Micros: 1,
  p99Micros: 70_000,
  lagP99Micros: 1,
  undisturbed: { requests: 9_000, p99Micros },
});

t.test('p99 beside updates is judged by that of the load alone, over the medians of the turns', async (t) => {
  const turn = (quiet: number, updates: number, push: number) => ({
    quiet: outcome(quiet),
    updates: outcome(updates),
    updatesSent: 1_000,
    push: outcome(push),
    pushSent: 990,
  });
  const turns = [turn(1_000, 1_300, 1_400), turn(900, 1_100, 9_000), turn(9_000, 1_500, 1_310)];
  const fast = { requests: 1_800_000, bytes: 1, seconds: 60.02 };
  const lines = renderMinute(new Map([['outrigger', { turns, fast, fastSent: 5_900 }]])).split('\n');
  t.match(
    lines[2],
    /^\| outrigger \| alone \| 3 \| 0 \| 30000 \| 27000 \| 1 000 \(900-9 000\) \| 1\.00 \| {2}\| 70 000 \|$/,
  );
  t.match(lines[3], /\| 3000 \| 30000 \| .* \| 1\.30 \| met \| 70 000 \|$/);
  t.match(lines[4], /\| 2970 \| 30000 \| .* \| 1\.40 \| missed \| 70 000 \|$/);
  t.match(lines[5], /^\| outrigger \| wrk, 60 s \| {2}\| 5900 \| 1800000 \|/);
});

t.test('a minute that is written has its own part, and no other row goes', async (t) => {
  const before = '# Dynamic configuration benchmark results\n\n| row |\n\n# TLS\n\n| kept |\n';
  const first = withMinute(before, ['CPU: one'], '| first |');
  t.ok(first.startsWith(before.trim()));
  t.match(first, /\n# A minute of updates under load\n[^#]*\n- CPU: one\n\n\| first \|\n$/);
  const second = withMinute(first, ['CPU: one'], '| second |');
  t.equal(second, first.replace('| first |', '| second |'));
});
