// `.ci/run`, with programs in place of npm and git that say what the test wants: what it asks for, what it makes of the
// answers, and its last line, which whoever runs it reads.

import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';

const gate = join(import.meta.dirname, '../../.ci/run');

const npm = `#!/bin/sh
echo "$*" >>calls
[ "$*" = "$CHANGING" ] && echo changed | tee generated >>dist/a.js
[ "$*" = "$HANGING" ] && [ ! -e hung ] && { : >hung; exit 124; }
[ "$*" = "$FAILING" ] && { echo 'it is broken'; exit 1; }
[ "$*" != 'test --silent' ] || echo "$SUM"
exit 0
`;
const git = '#!/bin/sh\n[ ! -e generated ] || cat generated\n';
const nothing = '#!/bin/sh\n';

/** `id` keeps it from installing what a machine lacks. */
const programs = { npm, git, wrk: nothing, nginx: nothing, id: '#!/bin/sh\necho 1000\n' };

interface Answers {
  readonly sum?: string;
  /** Arguments of npm that fail. */
  readonly failing?: string;
  /** … that leave something else behind than there was. */
  readonly changing?: string;
  /** … that are ended for the time they take, at the first attempt. */
  readonly hanging?: string;
  readonly without?: keyof typeof programs;
}

function run(
  t: Test,
  {
    sum = '40 passed, 0 failed',
    failing = 'nothing',
    changing = 'nothing',
    hanging = 'nothing',
    without,
  }: Answers = {},
) {
  const tools = Object.entries(programs).filter(([name]) => name !== without);
  const shell = Object.fromEntries(
    ['bash', 'sh', 'cat', 'dirname', 'grep', 'mktemp', 'rm', 'sed', 'sha256sum', 'tail', 'tee', 'timeout'].map(
      (name) => [name, t.fixture('symlink', `/usr/bin/${name}`)],
    ),
  );
  const folder = t.testdir({ tools: { ...shell, ...Object.fromEntries(tools) }, dist: { 'a.js': '1', 'a.cjs': '1' } });
  for (const [name] of tools) spawnSync('/bin/chmod', ['+x', join(folder, 'tools', name)]);
  cpSync(gate, join(folder, '.ci/run'));
  const answers = { SUM: sum, FAILING: failing, CHANGING: changing, HANGING: hanging };
  const env = { PATH: join(folder, 'tools'), TMPDIR: folder, ...answers };
  const { stdout, status } = spawnSync('/bin/bash', [join(folder, '.ci/run')], { env, encoding: 'utf8' });
  const lines = stdout.trimEnd().split('\n');
  const calls = readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n');
  return { lines, status, calls };
}

/** Programs for the kernel are built only where their tools are, which these runs do not have. */
const checks = 7;

t.test('everything is asked for, and the last line is the sum of checks and tests', (t) => {
  const { lines, status, calls } = run(t);
  t.same(calls, [
    'ci --no-audit --no-fund',
    'run --silent types',
    'run --silent lint',
    'run --silent imports',
    'run --silent generate',
    'run --silent prepare',
    'run --silent bench -- smoke',
    'test --silent',
  ]);
  t.equal(lines.at(-1), `${checks + 40} passed, 0 failed`);
  t.equal(lines.at(-2), '1 skipped', 'the programs for the kernel');
  t.equal(status, 0);
  t.end();
});

t.test('what is skipped counts before the last line, each with its reason', (t) => {
  const { lines, status } = run(t, { sum: '40 passed, 0 failed, 3 skipped', without: 'wrk' });
  t.same(lines.slice(-2), ['5 skipped', `${checks - 1 + 40} passed, 0 failed`]);
  t.matchOnly(
    lines.filter((line) => line.startsWith('skip ')),
    [/^skip programs for the kernel: no .+/, /^skip benchmark smoke: wrk and nginx are not installed/],
  );
  t.equal(status, 0);
  t.end();
});

t.test('each check that fails is counted and shown, the others still run, and the gate fails', (t) => {
  for (const failing of ['types', 'lint', 'imports', 'generate', 'prepare', 'bench -- smoke']) {
    const { lines, status, calls } = run(t, { failing: `run --silent ${failing}` });
    t.equal(lines.at(-1), `${checks - 1 + 40} passed, 1 failed`, failing);
    t.ok(lines.includes('     it is broken'), failing);
    t.equal(calls.at(-1), 'test --silent', failing);
    t.equal(status, 1, failing);
  }
  t.end();
});

t.test('generated files that were not current and a bundle that depends on chance fail the gate', (t) => {
  for (const [changing, check] of [
    ['generate', 'generated files are current'],
    ['prepare', 'bundle is reproducible'],
  ] as const) {
    const { lines, status } = run(t, { changing: `run --silent ${changing}` });
    t.equal(lines.at(-1), `${checks - 1 + 40} passed, 1 failed`, changing);
    t.ok(
      lines.some((line) => line.startsWith(`FAIL ${check} `)),
      changing,
    );
    t.equal(status, 1, changing);
  }
  t.end();
});

t.test('without what npm installs nothing else is asked', (t) => {
  const { lines, status, calls } = run(t, { failing: 'ci --no-audit --no-fund' });
  t.equal(lines.at(-1), '0 passed, 1 failed');
  t.equal(calls.length, 1);
  t.equal(status, 1);
  t.end();
});

t.test('an installation that hangs is tried once more', (t) => {
  const { lines, calls } = run(t, { hanging: 'ci --no-audit --no-fund' });
  t.same(calls.slice(0, 3), ['ci --no-audit --no-fund', 'ci --no-audit --no-fund', 'run --silent types']);
  t.equal(lines.at(-1), `${checks + 40} passed, 0 failed`);
  t.end();
});

t.test('tests that fail, or that end without their sum, fail the gate', (t) => {
  const failed = run(t, { sum: '39 passed, 2 failed' });
  t.equal(failed.lines.at(-1), `${checks + 39} passed, 2 failed`);
  t.equal(failed.status, 1);
  const silent = run(t, { sum: 'killed' });
  t.equal(silent.lines.at(-1), `${checks} passed, 1 failed`);
  t.equal(silent.status, 1);
  t.end();
});
