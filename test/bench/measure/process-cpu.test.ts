// CPU time from /proc.
import t from 'tap';
import { parseProcessStat, processTree, readCpuTime } from '../../../bench/measure/process-cpu.ts';

const LINE =
  '4242 (a) (b c) S 1 4242 4242 0 -1 4194560 100 0 0 0 1234 567 0 0 20 0 3 0 99 1000 10 18446744073709551615 1 1 0 0';

t.test('user and system time are found behind a name with blanks and parentheses', async (t) => {
  t.same(parseProcessStat(LINE), { userMs: 12340, systemMs: 5670 });
});

t.test('a line that is cut off is refused', async (t) => {
  t.throws(() => parseProcessStat('1 (x) S 1 2'), /not a process stat line/);
});

t.test('a process without children is its own tree, and its time can be read', async (t) => {
  t.equal(processTree(process.pid)[0], process.pid);
  t.ok(readCpuTime(process.pid).userMs > 0);
});
