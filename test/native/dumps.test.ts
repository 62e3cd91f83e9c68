import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

t.test('a process that forbids dumps says so to the kernel, for good', (t) => {
  const module = join(import.meta.dirname, '../../native/dumps.ts');
  const program = `import { allowsDumps, forbidDumps } from ${JSON.stringify(module)};
    console.log(JSON.stringify([allowsDumps(), forbidDumps(), allowsDumps()]));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  t.same(JSON.parse(output), [true, 0, false]);
  t.end();
});
