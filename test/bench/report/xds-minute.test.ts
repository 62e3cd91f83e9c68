import t from 'tap';
import type { PacedOutcome } from '../../../bench/load/paced-load.ts';
import { renderMinute } from '../../../bench/report/xds-minute.ts';

const outcome = (p99Micros: number): PacedOutcome => ({ requests: 10_000, p50Micros: 1, p99Micros, lagP99Micros: 1 });

t.test('p99 beside updates is judged by that of the load alone, over the medians of the turns', async (t) => {
  const turn = (quiet: number, updates: number, push: number) => ({
    quiet: outcome(quiet),
    updates: outcome(updates),
    updatesSent: 1_000,
    push: outcome(push),
    pushSent: 990,
  });
  const turns = [turn(1_000, 1_300, 1_400), turn(900, 1_100, 9_000), turn(9_000, 1_500, 1_310)];
  const lines = renderMinute(new Map([['outrigger', turns]])).split('\n');
  t.match(lines[2], /^\| outrigger \| alone \| 3 \| 0 \| 30000 \| .* \| 1\.00 \| {2}\|$/);
  t.match(lines[3], /\| 3000 \| 30000 \| .* \| 1\.30 \| met \|$/);
  t.match(lines[4], /\| 2970 \| 30000 \| .* \| 1\.40 \| missed \|$/);
});
