import os from 'node:os';
import t from 'tap';
import { describeErrno, Errno, errnoName } from '../../native/errno.ts';

t.test('the numbers are those of the machine', (t) => {
  const machine = os.constants.errno as Record<string, number>;
  for (const [name, errno] of Object.entries(Errno)) {
    if (machine[name] !== undefined) t.equal(errno, machine[name], name);
  }
  t.end();
});

t.test('an errno has a name and plain words', (t) => {
  t.equal(errnoName(111), 'ECONNREFUSED');
  t.equal(describeErrno(111), 'connection refused');
  t.equal(describeErrno(24), 'too many open files');
  t.end();
});

t.test('a number that is not in the table stays a number', (t) => {
  t.equal(errnoName(999), 'errno 999');
  t.equal(describeErrno(999), 'errno 999');
  t.end();
});
