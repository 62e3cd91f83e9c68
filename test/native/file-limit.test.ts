import t from 'tap';
import { Errno } from '../../native/errno.ts';
import { createEventFd } from '../../native/event-fd.ts';
import { type FileLimit, fileLimit, raiseFileLimit, setSoftFileLimit } from '../../native/file-limit.ts';

t.test('the soft limit is lowered, holds, and is raised to the hard one', (t) => {
  const { hard } = fileLimit() as FileLimit;
  t.equal(setSoftFileLimit(3), 0);
  const refused = createEventFd();
  t.equal(raiseFileLimit(), 0);
  t.equal(refused, -Errno.EMFILE);
  t.same(fileLimit(), { soft: hard, hard });
  t.end();
});
