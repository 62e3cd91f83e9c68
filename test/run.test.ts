// The runner judged from outside: nothing that goes wrong in a test file may look like success.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

const TAP = `import t from '${import.meta.resolve('tap')}';\n`;
const PASSING = `${TAP}t.test('adds', (t) => { t.equal(1 + 1, 2); t.end(); });\n`;

interface Run {
  readonly lines: readonly string[];
  readonly sum: string;
  readonly exitCode: number | null;
}

// Each test starts several processes, which take a busy machine its time.
t.setTimeout(900_000);

t.test('passing files are summed up and the exit code is 0', (t) => {
  const run = runTests(t, { 'a.test.ts': PASSING, deep: { 'b.test.ts': PASSING }, 'not-a-test.ts': 'nonsense(' });
  t.equal(run.sum, '2 passed, 0 failed');
  t.equal(run.exitCode, 0);
  t.end();
});

t.test('a skipped test is counted apart and its reason printed in one line', (t) => {
  const skipping = `${TAP}t.test('binds', { skip: 'needs root' }, () => {});\n`;
  const run = runTests(t, { 'a.test.ts': PASSING, 'b.test.ts': skipping });
  t.equal(run.sum, '1 passed, 0 failed, 1 skipped');
  t.ok(run.lines.includes('     skipped binds: needs root'));
  t.equal(run.exitCode, 0);
  t.end();
});

const FAILURES: readonly { name: string; file: string; says: RegExp; silenceMs?: number }[] = [
  {
    name: 'a failing assertion',
    file: `${TAP}t.test('adds', (t) => { t.equal(1 + 1, 3, 'one and one'); t.end(); });\n`,
    says: /not ok 1 - one and one/,
  },
  { name: 'an exception at the top', file: `${TAP}throw new Error('early crash');\n`, says: /early crash/ },
  { name: 'a file that does not parse', file: 'const = ;\n', says: /SyntaxError/ },
  {
    name: 'a process that dies by a signal',
    file: `${PASSING}process.kill(process.pid, 'SIGKILL');\n`,
    says: /SIGKILL/,
  },
  {
    name: 'an exit code after passing tests',
    file: `${PASSING}process.on('exit', () => process.exit(3));\n`,
    says: /exit code 3|not ok/,
  },
  { name: 'an early exit with code 0', file: 'process.exit(0);\n', says: /ended without a summary/ },
  {
    name: 'a hang',
    file: `${PASSING}t.test('hangs', () => new Promise(() => setInterval(() => {}, 1000)));\n`,
    says: /hangs, silent for 20000 ms; the last test to end was: ok 1 - /,
    // Both files have to start in that time.
    silenceMs: 20_000,
  },
  { name: 'a file without tests', file: 'export const a = 1;\n', says: /ended without a summary/ },
  { name: 'a file that plans nothing', file: `${TAP}t.plan(0);\n`, says: /contains no test/ },
  {
    name: 'a skip without a reason',
    file: `${TAP}t.test('binds', { skip: true }, () => {});\n`,
    says: /without a reason: binds/,
  },
  { name: 'a test still to be written', file: `${TAP}t.test('later', { todo: 'soon' });\n`, says: /"todo"/ },
];

for (const { name, file, says, silenceMs } of FAILURES) {
  t.test(`${name} is a failure, and the other files still count`, (t) => {
    const run = runTests(
      t,
      { 'a.test.ts': PASSING, 'b.test.ts': file },
      { ...(silenceMs !== undefined && { silenceMs }) },
    );
    t.match(run.sum, /^[12] passed, [1-9]\d* failed$/);
    t.match(run.lines.join('\n'), says);
    t.ok(
      run.lines.some((line) => /^ {2}.*b\.test\.ts$/.test(line)),
      'the file is named at the end',
    );
    t.equal(run.exitCode, 1);
    t.end();
  });
}

t.test('what an interrupted run did not come to counts as failed', (t) => {
  const interrupting = `${TAP}t.test('ends', () => new Promise(() => setInterval(() => {}, 1000)));
process.kill(process.ppid, 'SIGTERM');
`;
  const waiting = `${TAP}t.test('waits', () => new Promise(() => setInterval(() => {}, 1000)));\n`;
  const run = runTests(t, {
    'a.test.ts': interrupting,
    'b.test.ts': waiting,
    'c.test.ts': PASSING,
    'd.test.ts': PASSING,
  });
  t.ok(run.lines.includes('interrupted: 2 files were not run, which count as failed'));
  t.equal(run.sum, '0 passed, 4 failed');
  t.equal(run.exitCode, 130);
  t.end();
});

t.test('no test file at all is a failure', (t) => {
  const run = runTests(t, {});
  t.equal(run.sum, '0 passed, 1 failed');
  t.equal(run.exitCode, 1);
  t.end();
});

t.test('arguments choose files by a part of their path', (t) => {
  const tree = { http: { 'a.test.ts': PASSING }, route: { 'b.test.ts': PASSING } };
  t.equal(runTests(t, tree, { filters: ['route/'] }).sum, '1 passed, 0 failed');
  t.equal(runTests(t, tree, { filters: ['nowhere'] }).sum, '0 passed, 1 failed');
  t.end();
});

t.test('files share what Node has compiled, in a folder that is gone afterwards', (t) => {
  const tellsFolder = `${TAP}import { writeFileSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
writeFileSync(new URL('./told', import.meta.url), getCompileCacheDir() ?? '');
t.pass();
`;
  const { NODE_COMPILE_CACHE: _ofThisRun, ...env } = process.env;
  t.equal(runTests(t, { 'a.test.ts': tellsFolder }, { env }).sum, '1 passed, 0 failed');
  const folder = readFileSync(join(t.testdirName, 'told'), 'utf8');
  t.match(folder, /outrigger-compiled-/);
  t.notOk(existsSync(folder));
  t.end();
});

t.test('files take tap from one file, of which stacks do not tell', (t) => {
  const file = `import t from 'tap';
t.match(import.meta.resolve('tap'), /\\.tap\\/\\d+\\/node_modules\\/@tapjs\\/tap\\.mjs$/);
t.equal(1, 2);
`;
  const run = runTests(t, { 'a.test.ts': file });
  t.equal(run.sum, '1 passed, 1 failed');
  t.notOk(run.lines.some((line) => line.includes('tap.mjs')));
  t.end();
});

t.test('a file may spawn another', (t) => {
  const spawning = `import t from 'tap';
t.spawn(process.execPath, [new URL('./spawned.ts', import.meta.url).pathname]);
`;
  t.equal(runTests(t, { 'a.test.ts': spawning, 'spawned.ts': PASSING }).sum, '1 passed, 0 failed');
  t.end();
});

t.test('a file has five times the silence that is a hang, not the half minute that tap gives it', (t) => {
  const file = `${TAP}t.equal(t.options.timeout, 225_000);\n`;
  t.equal(runTests(t, { 'a.test.ts': file }, { silenceMs: 45_000 }).sum, '1 passed, 0 failed');
  t.end();
});

interface Tree {
  readonly [name: string]: string | Tree;
}

interface RunOptions {
  readonly filters?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly silenceMs?: number;
}

function runTests(t: Test, tree: Tree, { filters = [], env = process.env, silenceMs = 60_000 }: RunOptions = {}): Run {
  const runner = join(import.meta.dirname, 'run.ts');
  const args = [
    runner,
    '--root',
    t.testdir(tree as Parameters<Test['testdir']>[0]),
    '--silence-ms',
    String(silenceMs),
    ...filters,
  ];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  const lines = run.stdout.trimEnd().split('\n');
  return { lines, sum: lines.at(-1)!, exitCode: run.status };
}
