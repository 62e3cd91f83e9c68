import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { isBundleCurrent } from './program-file.ts';

/** Sources as far as it matters, and a bundle that was begun after their last change. */
function treeOf(t: Test): string {
  const folders = ['bpf', 'build', 'config', 'control-plane', 'native', 'proxy', 'sampler', 'xds'];
  const sources = Object.fromEntries(
    folders.map((folder) => [folder, { 'main.ts': '', deep: { 'part.ts': '' }, 'notes.md': '' }]),
  );
  const root = t.testdir({ ...sources, 'package.json': '{}', 'package-lock.json': '{}' });
  makeBundle(root);
  return root;
}

/** Until its folder is younger than all else: the clock of files stands still for some milliseconds. */
function makeBundle(root: string): void {
  for (let tries = 0; tries < 10_000 && !isBundleCurrent(root); tries++) {
    rmSync(join(root, 'dist'), { recursive: true, force: true });
    mkdirSync(join(root, 'dist'));
    for (const thread of ['outrigger', 'worker']) writeFileSync(compiled(root, thread), '');
  }
}

function compiled(root: string, thread: string): string {
  return join(root, 'dist', `${thread}.${process.arch}.compiled`);
}

const long = new Date(0);

const changes: Readonly<Record<string, (root: string) => void>> = {
  'a source that is changed': (root) => appendFileSync(join(root, 'xds/deep/part.ts'), ' '),
  'one that is changed and has the time of before': (root) => {
    appendFileSync(join(root, 'proxy/main.ts'), ' ');
    utimesSync(join(root, 'proxy/main.ts'), long, long);
  },
  'another in its place': (root) => {
    writeFileSync(join(root, 'other'), ' ');
    utimesSync(join(root, 'other'), long, long);
    renameSync(join(root, 'other'), join(root, 'native/main.ts'));
  },
  'one that is gone': (root) => rmSync(join(root, 'proxy/deep/part.ts')),
  'one that is new': (root) => writeFileSync(join(root, 'config/page.html'), ''),
  'the version of the package': (root) => appendFileSync(join(root, 'package.json'), ' '),
  'the versions of what it is made with': (root) => appendFileSync(join(root, 'package-lock.json'), ' '),
  'a bundle that is not done': (root) => rmSync(compiled(root, 'worker')),
  'no bundle': (root) => rmSync(join(root, 'dist'), { recursive: true }),
  'a bundle that was copied, with its times, after a source had changed': (root) =>
    utimesSync(compiled(root, 'outrigger'), long, long),
  'a bundle that is linked': (root) => {
    renameSync(join(root, 'dist'), join(root, 'elsewhere'));
    symlinkSync(join(root, 'elsewhere'), join(root, 'dist'));
  },
};

t.test('a bundle is taken for the sources while nothing of them has changed since it was begun', async (t) => {
  const root = treeOf(t);
  t.ok(isBundleCurrent(root));
  appendFileSync(join(root, 'xds/notes.md'), ' ');
  mkdirSync(join(root, 'docs'));
  mkdirSync(join(root, 'bpf/objects'));
  t.ok(isBundleCurrent(root), 'what it is not made of may change');
});

for (const [name, change] of Object.entries(changes)) {
  t.test(`it is not: ${name}`, async (t) => {
    const root = treeOf(t);
    t.ok(isBundleCurrent(root));
    change(root);
    t.notOk(isBundleCurrent(root));
  });
}
