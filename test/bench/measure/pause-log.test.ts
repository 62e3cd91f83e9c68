// Which wakings of a watchman are pauses of its core.
import t from 'tap';
import { PauseLog } from '../../../bench/measure/pause-log.ts';

t.test('only what is far longer than a timer of 1 ms is a pause', async (t) => {
  const log = new PauseLog();
  for (const nowMs of [1_000, 1_001.2, 1_003.2, 1_004.3, 1_010, 1_011, 1_081]) log.wake(nowMs);
  t.same(log.pauses, [
    { fromMs: 1_004.3, toMs: 1_010 },
    { fromMs: 1_011, toMs: 1_081 },
  ]);
});

t.test('before the first waking nothing is known', async (t) => {
  const log = new PauseLog();
  log.wake(1e9);
  t.same(log.pauses, []);
});
