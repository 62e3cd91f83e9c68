import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CgroupWatch } from '../../../bpf/agent/cgroup-watch.ts';
import { bpfSkipReason, temporaryCgroup } from '../../support/bpf-environment.ts';

t.test(
  'a cgroup that goes is told once, whether it had processes or not',
  { skip: bpfSkipReason('root', 'cgroup2') ?? false },
  async (t) => {
    const root = temporaryCgroup(t, 'watch');
    const [busy, idle, stays] = ['busy', 'idle', 'stays'].map((name) => join(root, name)) as [string, string, string];
    for (const folder of [busy, idle, stays]) mkdirSync(folder);
    t.teardown(() => rmdirSync(stays));
    const gone: string[] = [];
    let toldTwo = () => {};
    const two = new Promise<void>((resolve) => {
      toldTwo = resolve;
    });
    const watch = new CgroupWatch({
      onGone: (folder) => {
        gone.push(folder);
        if (gone.length === 2) toldTwo();
      },
      allEveryMs: 60_000,
    });
    t.teardown(() => watch.close());
    const child = spawn('sleep', ['60']);
    writeFileSync(join(busy, 'cgroup.procs'), String(child.pid));
    for (const folder of [busy, idle, stays]) t.ok(watch.add(folder));
    child.kill();
    await once(child, 'exit');
    rmdirSync(busy);
    rmdirSync(idle);
    const keepsRunning = setInterval(() => {}, 1000);
    await two;
    clearInterval(keepsRunning);
    t.same(gone.toSorted(), [busy, idle]);
    t.equal(watch.size, 1);
  },
);

t.test('a cgroup of the same name is another one', { skip: bpfSkipReason('root', 'cgroup2') ?? false }, async (t) => {
  const folder = join(temporaryCgroup(t, 'again'), 'pod');
  mkdirSync(folder);
  t.teardown(() => rmdirSync(folder));
  const keepsRunning = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    const watch = new CgroupWatch({ onGone: () => resolve() });
    t.teardown(() => watch.close());
    watch.add(folder);
    rmdirSync(folder);
    mkdirSync(folder);
  });
  clearInterval(keepsRunning);
});

t.test('what is gone already cannot be watched', (t) => {
  const watch = new CgroupWatch({ onGone: () => t.fail('nothing was watched') });
  t.notOk(watch.add(join(t.testdir({}), 'absent')));
  t.equal(watch.size, 0);
  watch.close();
  t.end();
});
