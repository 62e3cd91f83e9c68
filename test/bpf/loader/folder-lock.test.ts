import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FolderLock } from '../../../bpf/loader/folder-lock.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';

function taken(path: string): FolderLock {
  const lock = FolderLock.take(path);
  if (isFailure(lock)) throw new Error(lock.reason);
  return lock;
}

t.test('one holds it, the others are told, and when it is released nothing is left', (t) => {
  const path = join(t.testdir(), 'locks', 'pod');
  const before = openDescriptors();
  const first = taken(path);
  for (let attempt = 0; attempt < 3; attempt++) {
    t.match(FolderLock.take(path), { reason: `another process is changing what ${path} is the lock of` });
  }
  first.release();
  t.notOk(existsSync(path));
  taken(path).release();
  t.equal(openDescriptors(), before, 'refusals keep nothing open');
  t.end();
});

t.test('what was left in it by somebody who died is there for the next one', (t) => {
  const path = join(t.testdir(), 'pod');
  mkdirSync(path);
  writeFileSync(join(path, 'new'), '');
  const lock = taken(path);
  t.ok(existsSync(join(path, 'new')));
  lock.release();
  t.ok(existsSync(path), 'and is not lost');
  t.end();
});

t.test('a folder that another made meanwhile is not the one that was locked', (t) => {
  const path = join(t.testdir(), 'pod');
  const first = taken(path);
  rmdirSync(path);
  const second = taken(path);
  t.match(FolderLock.take(path), { reason: /another process/ });
  first.release();
  t.match(FolderLock.take(path), { reason: /another process/ }, 'and its release is not the other one’s');
  second.release();
  t.end();
});

t.test('a place where no folder can be is refused', (t) => {
  const path = t.testdir({ file: '' });
  t.match(FolderLock.take(join(path, 'file', 'pod')), { reason: /cannot lock .*not a directory/ });
  t.end();
});
