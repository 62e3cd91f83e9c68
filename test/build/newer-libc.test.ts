// What runs Node where the C library is older than uWebSockets.js needs.

import { spawnSync } from 'node:child_process';
import t from 'tap';
import { findNewerLibc, isNewEnough } from '../../build/newer-libc.ts';

t.test('versions are compared by their numbers', (t) => {
  t.same(['2.36', '2.4', '1.99', ''].map(isNewEnough), [false, false, false, false]);
  t.same(['2.38', '2.41', '2.100', '3.0'].map(isNewEnough), [true, true, true, true]);
  t.end();
});

const libc = findNewerLibc();
const skip = 'missing' in libc && `no ${libc.missing}`;

t.test('Node runs with what was found, and knows that it is new', { skip }, (t) => {
  const before = 'missing' in libc ? [] : libc.before;
  const [command, ...args] = [...before, process.execPath];
  const script = 'process.stdout.write(process.report.getReport().header.glibcVersionRuntime)';
  const { stdout, stderr } = spawnSync(command!, [...args, '-e', script], { encoding: 'utf8' });
  t.ok(isNewEnough(stdout), `${stdout}${stderr}`);
  t.end();
});
