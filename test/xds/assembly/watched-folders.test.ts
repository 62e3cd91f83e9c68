import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { WatchedFolders } from '../../../xds/assembly/watched-folders.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

function watched(t: Test) {
  const time = new HandClock();
  const logged: string[] = [];
  const folders = new WatchedFolders(time.schedule, (_level, text, facts) =>
    logged.push(`${text}: ${Object.values(facts).join(', ')}`),
  );
  t.teardown(() => folders.stop());
  const until = async (isReached: () => boolean) => {
    while (!isReached()) {
      await setImmediate();
      time.advance(100);
    }
  };
  return { folders, time, logged, until };
}

function move(directory: string, name: string): void {
  writeFileSync(join(directory, `${name}.new`), '');
  renameSync(join(directory, `${name}.new`), join(directory, name));
}

t.test('all who watch a folder are told of a move, until they have enough', async (t) => {
  const directory = t.testdir({});
  const { folders, until } = watched(t);
  const told = { a: 0, b: 0 };
  const stop = folders.watch(directory, () => told.a++);
  folders.watch(directory, () => told.b++);
  move(directory, 'x');
  await until(() => told.a > 0);
  t.equal(told.a, told.b);
  stop();
  const before = { ...told };
  move(directory, 'y');
  await until(() => told.b > before.b);
  t.equal(told.a, before.a);
});

t.test('moves of one rotation are one event', async (t) => {
  const directory = t.testdir({});
  const { folders, time } = watched(t);
  let told = 0;
  folders.watch(directory, () => told++);
  for (const name of ['a', 'b', 'c']) move(directory, name);
  while (time.waits.length === 0) await setImmediate();
  t.same(time.waits, [100]);
  time.advance(100);
  t.equal(told, 1);
});

t.test('a folder that is not there is told of, and tried again', async (t) => {
  const { folders, logged, time } = watched(t);
  let told = 0;
  folders.watch(join(t.testdir({}), 'missing'), () => told++);
  t.matchOnly(logged, [/^a folder with secrets cannot be watched: .*missing cannot be watched: ENOENT$/]);
  time.advance(5100);
  t.equal(told, 1, 'what is in it may have changed unseen');
});
