import { fstatSync, readlinkSync, readSync, writeSync } from 'node:fs';
import t from 'tap';
import { createMemoryFile } from '../../native/memory-file.ts';
import { close } from '../../native/socket.ts';

t.test('what is written to it can be read, and it has no place in a folder', (t) => {
  const file = createMemoryFile('for-a-test');
  t.match(readlinkSync(`/proc/self/fd/${file}`), /memfd:for-a-test \(deleted\)/);
  writeSync(file, 'counted');
  t.equal(fstatSync(file).size, 7);
  const bytes = Buffer.alloc(7);
  t.equal(readSync(file, bytes, 0, 7, 0), 7);
  t.equal(bytes.toString(), 'counted');
  close(file);
  t.end();
});
