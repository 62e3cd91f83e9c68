// Memory figures from /proc.
import t from 'tap';
import { countFileDescriptors, parseKibibytes, readMemory } from '../../../bench/measure/process-memory.ts';

const STATUS = 'Name:\tenvoy\nVmPeak:\t  999 kB\nVmRSS:\t   73728 kB\nRssAnon:\t   14480 kB\n';

t.test('a figure is found by its whole name and given in bytes', async (t) => {
  t.equal(parseKibibytes(STATUS, 'VmRSS'), 73728 * 1024);
  t.equal(parseKibibytes('Rss: 5 kB\nPss_Dirty: 7 kB\nPss:   6 kB\n', 'Pss'), 6 * 1024);
});

t.test('a missing figure is an error, not zero', async (t) => {
  t.throws(() => parseKibibytes(STATUS, 'Pss'), /no Pss line/);
});

t.test('this process has memory and descriptors', async (t) => {
  const memory = readMemory(process.pid);
  t.ok(memory.rssBytes > memory.anonymousBytes);
  t.ok(memory.pssBytes > 0);
  t.ok(countFileDescriptors(process.pid) >= 3);
});
