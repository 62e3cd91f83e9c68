import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  lookForProcesses,
  nextWatch,
  type Presence,
  sharesProcesses,
  type WatchState,
  watchApplication,
} from '../../../proxy/sidecar/application-watch.ts';

/** What is known after looks that are a second apart. */
const after = (...looks: readonly Presence[]): string => {
  let state: WatchState = { kind: 'unseen' };
  for (const [second, presence] of looks.entries()) {
    state = nextWatch(state, presence, { nowMs: second * 1000, graceMs: 2000 });
  }
  return state.kind;
};

t.test('an application that has not come yet may still come, however long that takes', async (t) => {
  t.equal(after('none', 'none', 'none', 'none', 'none'), 'unseen');
  t.equal(after('unknown', 'none', 'none', 'none', 'none'), 'unseen', 'it was perhaps not there');
});

t.test('one that came and went for the whole time has gone', async (t) => {
  t.equal(after('none', 'there', 'none'), 'gone');
  t.equal(after('there', 'none', 'none'), 'gone');
  t.equal(after('there', 'none', 'none', 'none'), 'over');
  t.equal(after('there', 'none', 'none', 'none', 'there'), 'over', 'the end is on its way');
});

t.test('one that is started again, or may have been, has not gone', async (t) => {
  t.equal(after('there', 'none', 'none', 'there', 'none'), 'gone');
  t.equal(after('there', 'none', 'none', 'unknown', 'none', 'none'), 'gone');
  t.equal(after('there', 'unknown', 'unknown', 'unknown'), 'running');
});

t.test('it looks each second, says what it has seen, and ends once', async (t) => {
  const events: string[] = [];
  const looks: Presence[] = ['none', 'there', 'there', 'none', 'none', 'none'];
  let [nowMs, next] = [0, undefined as (() => void) | undefined];
  watchApplication({
    look: () => looks.shift()!,
    graceMs: 1500,
    end: () => events.push('end'),
    clock: () => nowMs,
    schedule: (delayMs, callback) => {
      t.equal(delayMs, 1000);
      next = callback;
    },
    log: { info: (...words: readonly unknown[]) => events.push(String(words.at(-1))) },
  });
  for (; next !== undefined; nowMs += 1000) {
    const callback = next;
    next = undefined;
    callback();
  }
  t.same(events, [
    'the application runs: the sidecar ends when it has gone',
    'the application has gone: the sidecar ends',
    'end',
  ]);
  t.equal(looks.length, 0);
});

t.test('processes of other containers are the application, those of ours and of the pod itself are not', async (t) => {
  const proc = t.testdir({});
  const put = (pid: string, group: string): void => {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, 'cgroup'), `0::/${group}\n`);
  };
  t.equal(lookForProcesses(proc), 'unknown', 'who does not know where it is itself knows nothing of others');
  t.notOk(sharesProcesses(proc));
  put('self', 'sidecar');
  put('7', 'sidecar');
  put('1', 'sidecar');
  t.notOk(sharesProcesses(proc), 'a container that is alone');
  rmSync(join(proc, '1'), { recursive: true });
  put('1', 'pause');
  put('8', 'sidecar');
  mkdirSync(join(proc, 'irq'));
  mkdirSync(join(proc, '9'));
  t.ok(sharesProcesses(proc));
  t.equal(lookForProcesses(proc), 'none', 'a hook of ours, and a process that has ended meanwhile');
  put('12', 'application');
  t.equal(lookForProcesses(proc), 'there');
  rmSync(join(proc, '12', 'cgroup'));
  mkdirSync(join(proc, '12', 'cgroup'));
  t.equal(lookForProcesses(proc), 'unknown', 'one that cannot be looked at');
});
