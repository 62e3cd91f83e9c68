import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FolderWatch } from '../../../xds/client/folder-watch.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

function watched(t: Test, directory: string) {
  const time = new HandClock();
  const told: string[] = [];
  let next = Promise.withResolvers<void>();
  const tell = (text: string) => {
    told.push(text);
    next.resolve();
    next = Promise.withResolvers();
  };
  const watch = new FolderWatch({
    directory,
    schedule: time.schedule,
    onEvent: (event, file) => tell(`${event} ${file}`),
    onFailure: (reason, retryMs) => tell(`${reason.replace(directory, 'it')}, again in ${retryMs}`),
    onRetry: () => tell('retry'),
  });
  t.teardown(() => watch.stop());
  const until = async (text: string) => {
    while (!told.includes(text)) await next.promise;
  };
  return { watch, time, told, until };
}

t.test('a file that is moved into the folder is told by name, one that is written in place as changed', async (t) => {
  const directory = t.testdir({ 'a.yaml': '1' });
  const { watch, told, until } = watched(t, directory);
  watch.start();
  writeFileSync(join(directory, 'a.yaml'), '2');
  await until('change a.yaml');
  renameSync(join(directory, 'a.yaml'), join(directory, 'b.yaml'));
  await until('rename b.yaml');
  t.ok(told.includes('rename a.yaml'), 'and by the name that it had');
});

t.test('a folder that is not there is looked for again until it is, and then watched', async (t) => {
  const directory = join(t.testdir({}), 'later');
  const { watch, time, told, until } = watched(t, directory);
  watch.start();
  t.same(told, ['it cannot be watched: ENOENT, again in 5000']);
  time.advance(5000);
  t.equal(told.length, 3, 'tried, and failed once more');
  mkdirSync(directory);
  time.advance(5000);
  writeFileSync(join(directory, 'a.yaml'), '1');
  await until('rename a.yaml');
});

t.test('a folder that is removed is looked for again, and watched when it is made anew', async (t) => {
  const directory = t.testdir({});
  const { watch, time, until } = watched(t, directory);
  watch.start();
  rmSync(directory, { recursive: true });
  await until('it cannot be watched: ENOENT, again in 5000');
  mkdirSync(directory);
  time.advance(5000);
  writeFileSync(join(directory, 'a.yaml'), '1');
  await until('rename a.yaml');
});

t.test('a folder that takes the place of another is watched in its place, however it is written', async (t) => {
  for (const end of ['', '/', '/.']) {
    const parent = t.testdir({ here: {}, new: {} });
    const { watch, until } = watched(t, `${join(parent, 'here')}${end}`);
    watch.start();
    renameSync(join(parent, 'here'), join(parent, 'old'));
    renameSync(join(parent, 'new'), join(parent, 'here'));
    await until('retry');
    writeFileSync(join(parent, 'here', 'a.yaml'), '1');
    await until('rename a.yaml');
    watch.stop();
  }
});

t.test('after its end nothing is tried again', (t) => {
  const directory = t.testdir({});
  rmSync(directory, { recursive: true });
  const { watch, time, told } = watched(t, directory);
  watch.start();
  watch.stop();
  time.advance(60_000);
  t.same(told, ['it cannot be watched: ENOENT, again in 5000']);
  t.end();
});
