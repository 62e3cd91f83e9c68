import { chmodSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cannotBeRead, cannotBeWritten } from '../../config/unreadable-file.ts';

function sentence(path: string): string {
  try {
    readFileSync(path);
  } catch (error) {
    return cannotBeRead(path, error);
  }
  return 'it was read';
}

t.test('of a path that does not exist the first part that is missing is named', async (t) => {
  const folder = t.testdir({ file: '' });
  const wayOut = '; put it there, or correct the path';
  t.equal(sentence(`${folder}/none`), `cannot be read: ENOENT: the folder ${folder} has no such file${wayOut}`);
  t.equal(sentence(`${folder}/a/b/none`), `cannot be read: ENOENT: there is no folder ${folder}/a${wayOut}`);
  t.equal(
    sentence('none/x.yaml'),
    `cannot be read: ENOENT: there is no folder ${process.cwd()}/none (the path is looked up in ${process.cwd()})${wayOut}`,
  );
});

t.test('a link that leads nowhere is told with where it leads, wherever in the path it is', async (t) => {
  const folder = t.testdir({ file: '' });
  symlinkSync('..data/none', join(folder, 'link'));
  const link = `cannot be read: ENOENT: ${folder}/link is a link to ..data/none, which is not there`;
  t.match(sentence(`${folder}/link`), link);
  t.match(sentence(`${folder}/link/cert.pem`), link);
  symlinkSync('loop', join(folder, 'loop'));
  t.equal(sentence(`${folder}/loop`), 'cannot be read: ELOOP: its links lead in a circle');
});

t.test('a folder in the place of a file, and a file in that of a folder', async (t) => {
  const folder = t.testdir({ file: '' });
  t.equal(sentence(folder), 'cannot be read: EISDIR: it is a folder; name a file in it');
  t.equal(sentence(`${folder}/file/x`), `cannot be read: ENOTDIR: ${folder}/file is no folder; correct the path`);
});

t.test('who may not read is told as whom it asked, and whose the file or the folder is', async (t) => {
  const folder = t.testdir({ closed: { file: '' }, file: '' });
  const owner = `uid ${process.getuid!()} and gid ${process.getgid!()}`;
  chmodSync(join(folder, 'file'), 0o200);
  chmodSync(join(folder, 'closed'), 0o600);
  const asked = asNobody(t, () => [sentence(`${folder}/file`), sentence(`${folder}/closed/file`)]);
  chmodSync(join(folder, 'closed'), 0o700);
  const who = `this process, which is uid ${asked.uid} and gid ${process.getegid!()},`;
  const wayOut = 'run it as another user, or allow that';
  t.same(asked.value, [
    `cannot be read: EACCES: ${who} may not read it (of ${owner}, mode 200); ${wayOut}`,
    `cannot be read: EACCES: ${who} may not enter ${folder}/closed (of ${owner}, mode 600); ${wayOut}`,
  ]);
});

function writing(path: string): string {
  try {
    writeFileSync(path, '');
  } catch (error) {
    return cannotBeWritten(path, error);
  }
  return 'it was written';
}

t.test('of what cannot be written the folder is told of, and what to do', async (t) => {
  const folder = t.testdir({ closed: {}, file: '' });
  const elsewhere = 'make the folder, or correct the path';
  t.equal(writing(`${folder}/none/x`), `cannot be written: ENOENT: there is no folder ${folder}/none; ${elsewhere}`);
  t.equal(writing(folder), 'cannot be written: EISDIR: it is a folder; name a file in it');
  const full = { code: 'ENOSPC', message: '' };
  t.equal(
    cannotBeWritten('/x', full),
    'cannot be written: ENOSPC: its file system is full; make room, or name another path',
  );
  const owner = `uid ${process.getuid!()} and gid ${process.getgid!()}`;
  chmodSync(join(folder, 'closed'), 0o500);
  const asked = asNobody(t, () => writing(`${folder}/closed/x`));
  const who = `this process, which is uid ${asked.uid} and gid ${process.getegid!()}, may not write to ${folder}/closed`;
  t.equal(asked.value, `cannot be written: EACCES: ${who} (of ${owner}, mode 500); allow that, or name another path`);
});

/** Root may read everything. */
function asNobody<T>(t: Test, look: () => T): { readonly uid: number; readonly value: T } {
  const uid = process.geteuid!();
  if (uid !== 0) return { uid, value: look() };
  t.teardown(() => process.seteuid!(0));
  process.seteuid!(65_534);
  const value = look();
  process.seteuid!(0);
  return { uid: 65_534, value };
}

t.test('of a link into a closed folder only the code and who asked are known', async (t) => {
  const folder = t.testdir({ closed: { file: '' } });
  symlinkSync(`${folder}/closed/file`, join(folder, 'link'));
  chmodSync(join(folder, 'closed'), 0o600);
  const { value } = asNobody(t, () => sentence(`${folder}/link`));
  chmodSync(join(folder, 'closed'), 0o700);
  t.match(value, /^cannot be read: EACCES: this process, which is uid \d+ and gid \d+, may not read it; run it/);
});

t.test('a path that cannot be followed in words (.. behind a link) still gives a sentence', async (t) => {
  const folder = t.testdir({ closed: { x: {} }, elsewhere: { deep: {}, closed: { x: {} } } });
  symlinkSync(`${folder}/elsewhere/deep`, join(folder, 'link'));
  chmodSync(join(folder, 'closed'), 0o600);
  const { value } = asNobody(t, () => sentence(`${folder}/link/../closed/x/none`));
  chmodSync(join(folder, 'closed'), 0o700);
  t.match(value, /^cannot be read: ENOENT: there is no folder .*; put it there, or correct the path$/);
});

t.test('no descriptor left is told with the limit to raise; anything else by its code or words', async (t) => {
  t.equal(
    cannotBeRead('/x', Object.assign(new Error(), { code: 'EMFILE' })),
    'cannot be read: EMFILE: this process has as many files open as it may; raise its limit (ulimit -n)',
  );
  t.equal(cannotBeRead('/x', Object.assign(new Error(), { code: 'EIO' })), 'cannot be read: EIO');
  t.equal(cannotBeRead('/x', new Error('too large')), 'cannot be read: too large');
  t.equal(
    cannotBeRead('/', Object.assign(new Error(), { code: 'ENOENT' })),
    'cannot be read: ENOENT: it was not there; put it there, or correct the path',
    'one that came in between',
  );
});
