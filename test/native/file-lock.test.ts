import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { lockFile } from '../../native/file-lock.ts';
import { close, duplicate } from '../../native/socket.ts';

t.test('a lock is of one opening of the file, until its last descriptor is closed', (t) => {
  const folder = t.testdir();
  const lockOf = (fd: number) => lockFile(fd, { waits: false });
  const [first, second] = [openSync(folder, 'r'), openSync(folder, 'r')];
  t.equal(lockOf(first), 0);
  t.equal(lockOf(first), 0, 'it is its own already');
  t.equal(lockOf(second), -Errno.EAGAIN);
  const again = duplicate(first);
  closeSync(first);
  t.equal(lockOf(second), -Errno.EAGAIN, 'a duplicate holds it');
  close(again);
  t.equal(lockOf(second), 0);
  closeSync(second);
  t.equal(lockOf(second), -Errno.EBADF);
  t.end();
});
