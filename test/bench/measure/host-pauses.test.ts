// What fell into pauses of the host, and a watchman that is kept from its core.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { HostPauses, watchingHost } from '../../../bench/measure/host-pauses.ts';

t.test('what touches a pause, or the time as long behind it, is disturbed', async (t) => {
  const pauses = new HostPauses([
    { fromMs: 100, toMs: 110 },
    { fromMs: 500, toMs: 503 },
  ]);
  const disturbed = (fromMs: number, toMs: number) => pauses.disturbed({ fromMs, toMs });
  t.notOk(disturbed(90, 100), 'was over when it began');
  t.ok(disturbed(90, 101));
  t.ok(disturbed(104, 105));
  t.ok(disturbed(50, 600));
  t.ok(disturbed(119, 130), 'waited behind it');
  t.notOk(disturbed(120, 130));
  t.ok(disturbed(502, 502.5));
  t.notOk(disturbed(506, 510));
});

const isRoot = process.getuid?.() === 0;
const needsRoot = isRoot ? false : 'real-time priorities need root';

t.test('the work runs once all watch, and its result comes with the pauses', { skip: needsRoot }, async (t) => {
  const policies: string[] = [];
  const { result, pauses } = await watchingHost([0], async () => {
    for (const task of childTasks())
      policies.push(readFileSync(`${task}/sched`, 'utf8').match(/policy\s*:\s*(\d)/)![1]!);
    return 'done';
  });
  t.equal(result, 'done');
  t.type(pauses.disturbed({ fromMs: 0, toMs: 1 }), 'boolean');
  t.ok(policies.includes('1'), 'SCHED_FIFO');
});

t.test('a core that is not there is named', { skip: needsRoot }, async (t) => {
  let ran = false;
  await t.rejects(
    watchingHost([4_096], async () => {
      ran = true;
    }),
    /^core 4096 cannot be watched for pauses of the host: .*taskset/,
  );
  t.equal(ran, false);
});

t.test('work that fails ends the watch', { skip: needsRoot }, async (t) => {
  await t.rejects(
    watchingHost([0], async () => Promise.reject(new Error('lost'))),
    { message: 'lost' },
  );
  t.same(childTasks(), []);
});

// Folders of /proc of this process's children.
function childTasks(): readonly string[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map((pid) => `/proc/${pid}`);
}
