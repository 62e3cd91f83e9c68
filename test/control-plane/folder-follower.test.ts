import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { readFolder } from '../../control-plane/config-folder.ts';
import { FolderFollower } from '../../control-plane/folder-follower.ts';
import { renameIntoPlace, writeFiles } from '../support/control-plane-fixtures.ts';
import { threadNowMs } from '../support/thread-time.ts';

/** Follows the folder; `until` resolves with the milliseconds it took when the folder's texts are as wanted. */
function follow(t: Test, folder: string) {
  let check = () => {};
  const follower = new FolderFollower({ folder, onChange: () => check() });
  follower.start();
  t.teardown(() => follower.stop());
  return {
    until(wanted: readonly string[], change: () => void): Promise<number> {
      return new Promise((resolve) => {
        const began = threadNowMs();
        check = () => {
          const texts = readFolder(folder).files.map(({ text }) => text);
          if (JSON.stringify(texts) === JSON.stringify(wanted)) resolve(threadNowMs() - began);
        };
        change();
      });
    },
  };
}

/** By an event, not by the poll that comes each second. How fast it is, the test of the whole program measures. */
const seenWithinMs = 900;

t.test('a file that is written, renamed into place or removed is seen by its event', async (t) => {
  const folder = t.testdir({ 'a.yaml': '1' });
  const { until } = follow(t, folder);
  t.ok((await until(['2'], () => writeFiles(folder, { 'a.yaml': '2' }))) < seenWithinMs, 'written in place');
  t.ok((await until(['3'], () => renameIntoPlace(folder, 'a.yaml', '3'))) < seenWithinMs, 'renamed into place');
  t.ok((await until(['3', '4'], () => writeFiles(folder, { 'b.yaml': '4' }))) < seenWithinMs, 'new');
  t.ok((await until(['4'], () => rmSync(join(folder, 'a.yaml')))) < seenWithinMs, 'removed');
  const rename = () => {
    // vim moves the old file away, writes a new one, removes the old.
    renameSync(join(folder, 'b.yaml'), join(folder, 'b.yaml~'));
    writeFileSync(join(folder, 'b.yaml'), '5');
    rmSync(join(folder, 'b.yaml~'));
  };
  t.ok((await until(['5'], rename)) < seenWithinMs, 'moved away and written again');
});

t.test(
  'files are told by their names where every event was of one, and everything is looked at a little later',
  async (t) => {
    const folder = t.testdir({ 'a.yaml': '1', nodes: { 'gateway*': { 'b.yaml': '1' } } });
    const told: (readonly string[] | undefined)[] = [];
    let next = Promise.withResolvers<void>();
    const onChange = (touched: ReadonlySet<string> | undefined) => {
      told.push(touched && [...touched].sort());
      next.resolve();
      next = Promise.withResolvers();
    };
    const follower = new FolderFollower({ folder, onChange });
    t.teardown(() => follower.stop());
    follower.start();
    const lookAfter = async (change: () => void) => {
      const { promise } = next;
      change();
      await promise;
      return told.at(-1);
    };
    t.equal(await lookAfter(() => writeFiles(folder, { c: '1' })), undefined, 'no file that is read');
    const both = () => writeFiles(folder, { 'a.yaml': '2', 'nodes/gateway*/b.yaml': '2' });
    t.same(await lookAfter(both), ['a.yaml', 'nodes/gateway*/b.yaml']);
    t.equal(await lookAfter(() => {}), undefined, 'everything');
  },
);

t.test('a ConfigMap of Kubernetes is swapped as a whole', async (t) => {
  const folder = t.testdir({ '..v1': { 'a.yaml': '1' }, '..v2': { 'a.yaml': '2' } });
  symlinkSync('..v1', join(folder, '..data'));
  symlinkSync('..data/a.yaml', join(folder, 'a.yaml'));
  const { until } = follow(t, folder);
  const swap = () => {
    symlinkSync('..v2', join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  t.ok((await until(['2'], swap)) < seenWithinMs);
});

t.test('a file that a link leads to is followed where it is, also when it comes later', async (t) => {
  const root = t.testdir({ mesh: {}, elsewhere: { 'a.yaml': '1' } });
  const [folder, target] = [join(root, 'mesh'), join(root, 'elsewhere')];
  symlinkSync('../elsewhere/a.yaml', join(folder, 'a.yaml'));
  const { until } = follow(t, folder);
  t.ok(await until(['2'], () => writeFiles(target, { 'a.yaml': '2' })), 'written in place');
  t.ok(await until(['30'], () => renameIntoPlace(target, 'a.yaml', '30')), 'renamed into place');
  await until(['30'], () => symlinkSync('../elsewhere/b.yaml', join(folder, 'b.yaml')));
  t.ok(await until(['30', '4'], () => writeFiles(target, { 'b.yaml': '4' })), 'new');
});

t.test('a link that comes within one tick of the clock of the folder is followed', async (t) => {
  const root = t.testdir({ mesh: {}, elsewhere: { 'a.yaml': '1' } });
  const [folder, target] = [join(root, 'mesh'), join(root, 'elsewhere')];
  const tick = new Date(Date.now() + 3_600_000);
  utimesSync(folder, tick, tick);
  const { until } = follow(t, folder);
  const link = () => {
    symlinkSync('../elsewhere/a.yaml', join(folder, 'a.yaml'));
    utimesSync(folder, tick, tick);
  };
  await until(['1'], link);
  t.ok(await until(['2'], () => writeFiles(target, { 'a.yaml': '2' })));
});

t.test(
  'a file elsewhere that was just written is looked at again: its next change may have the same time',
  async (t) => {
    const root = t.testdir({ mesh: {}, elsewhere: { 'a.yaml': '1' } });
    symlinkSync('../elsewhere/a.yaml', join(root, 'mesh/a.yaml'));
    const { promise, resolve: onChange } = Promise.withResolvers<ReadonlySet<string> | undefined>();
    const follower = new FolderFollower({ folder: join(root, 'mesh'), onChange });
    t.teardown(() => follower.stop());
    follower.start();
    t.equal(await promise, undefined, 'everything');
  },
);

t.test('the folder itself may be replaced, and is followed on', async (t) => {
  const root = t.testdir({ current: { 'a.yaml': '1' }, next: { 'a.yaml': '2' } });
  const folder = join(root, 'current');
  const { until } = follow(t, folder);
  const swap = () => {
    renameSync(folder, join(root, 'old'));
    renameSync(join(root, 'next'), folder);
  };
  t.ok((await until(['2'], swap)) < seenWithinMs);
  t.ok((await until(['3'], () => writeFiles(folder, { 'a.yaml': '3' }))) < seenWithinMs);
});

t.test('a folder that leads nowhere is followed until it leads somewhere again', async (t) => {
  const root = t.testdir({ real: { 'a.yaml': '1' } });
  const folder = join(root, 'current');
  symlinkSync('real', folder);
  const { until } = follow(t, folder);
  const relink = (target: string) => {
    symlinkSync(target, join(root, 'new'));
    renameSync(join(root, 'new'), folder);
  };
  t.ok((await until([], () => relink('current'))) < seenWithinMs, 'a link to itself');
  await until(['1'], () => relink('real'));
});

t.test('folders of node groups that come later are followed', async (t) => {
  const folder = t.testdir({ 'a.yaml': '1' });
  const { until } = follow(t, folder);
  await until(['1'], () => mkdirSync(join(folder, 'nodes')));
  await until(['1', '2'], () => writeFiles(folder, { 'nodes/edge-*/b.yaml': '2' }));
  t.ok((await until(['1', '3'], () => writeFiles(folder, { 'nodes/edge-*/b.yaml': '3' }))) < seenWithinMs);
});

t.test('somebody who writes without a pause does not keep changes back', async (t) => {
  const folder = t.testdir({ 'a.yaml': '0', 'b.yaml': 'x' });
  const { until } = follow(t, folder);
  let count = 0;
  const writing = setInterval(() => writeFiles(folder, { '.noise': String(count++) }), 2);
  const tookMs = await until(['0', 'y'], () => writeFiles(folder, { 'b.yaml': 'y' }));
  clearInterval(writing);
  t.ok(tookMs < seenWithinMs);
});
