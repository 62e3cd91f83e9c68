// The program as scripts run it: by its exit code.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { serviceText } from '../support/control-plane-fixtures.ts';

const program = join(import.meta.dirname, '../../control-plane/main.ts');

function run(...args: readonly string[]) {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], (error, _, said) => resolve({ code: error?.code ?? 0, said }));
  });
}

t.test('--check says what is wrong by its exit code, and a command line that is none by another', async (t) => {
  const folder = t.testdir({
    right: { 'a.yaml': serviceText('a') },
    wrong: { 'a.yaml': 'service: a\nendpoints: 5\n' },
  });
  t.same(await run('--dir', join(folder, 'right'), '--check'), { code: 0, said: '' });
  t.same(await run('--dir', join(folder, 'wrong'), '--check'), {
    code: 1,
    said: 'control-plane: a.yaml:2: endpoints: expected a list of addresses such as 127.0.0.1:9001\n',
  });
  const needed = 'control-plane: an address is needed: --listen 127.0.0.1:18000\n';
  t.same(await run('--dir', folder), { code: 2, said: needed });
});
