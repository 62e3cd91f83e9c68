import { appendFileSync, mkdirSync, renameSync, symlinkSync, unlinkSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { ConfigError } from '../../../config/problems.ts';
import { readSamplingFile, SamplingFile } from '../../../proxy/command/sampling-file.ts';
import type { SamplingSettings } from '../../../sampler/settings.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

const withBudget = (tracesPerSecond: number) => `sampling: { budget: { traces_per_second: ${tracesPerSecond} } }\n`;

/** The folder changes by itself; the moment of quiet is waited for by hand, whenever something has changed. */
function followed(t: Test, path: string) {
  const time = new HandClock();
  const told: SamplingSettings[] = [];
  const logged: string[] = [];
  const order: string[] = [];
  let changed = Promise.withResolvers<void>();
  let looks = 0;
  const file = new SamplingFile({
    path,
    onSettings: (settings) => {
      told.push(settings);
      order.push('told');
    },
    schedule: (delayMs, callback) => {
      looks++;
      changed.resolve();
      changed = Promise.withResolvers();
      return time.schedule(delayMs, callback);
    },
    log: {
      info: (_facts: unknown, text?: string) => {
        logged.push(`info ${text}`);
        order.push('logged');
      },
      warn: (facts: unknown, text?: string) => {
        logged.push(`warn ${text}: ${(facts as { readonly problem: string }).problem}`);
      },
    },
  });
  t.teardown(() => file.stop());
  const until = async (isDone: () => boolean) => {
    time.advance(50);
    while (!isDone()) {
      await changed.promise;
      time.advance(50);
    }
  };
  /** Until the change that `make` makes was looked at. */
  const look = async (make: () => void) => {
    const before = looks;
    make();
    await until(() => looks > before);
  };
  return { file, told, logged, order, until, look, looks: () => looks };
}

t.test('the file is read at once, and told again when it is written or replaced', async (t) => {
  const path = join(t.testdir({ 's.yaml': withBudget(20) }), 's.yaml');
  const { file, told, logged, order, until } = followed(t, path);
  t.equal(file.settings.budget.tracesPerSecond, 20);
  file.follow();
  writeFileSync(path, withBudget(30));
  await until(() => file.settings.budget.tracesPerSecond === 30);
  writeFileSync(`${path}.new`, withBudget(40));
  renameSync(`${path}.new`, path);
  await until(() => file.settings.budget.tracesPerSecond === 40);
  t.same(
    told.map(({ budget }) => budget.tracesPerSecond),
    [30, 40],
  );
  t.same(logged, ['info new sampling settings are in use', 'info new sampling settings are in use']);
  t.same(order, ['told', 'logged', 'told', 'logged'], 'they are in use when it is said');
});

t.test('a file that is wrong at the start is refused with every problem and its path', (t) => {
  const path = join(t.testdir({ 's.yaml': 'sampling: { budget: { traces_per_second: many }, speed: 1 }' }), 's.yaml');
  t.throws(
    () => followed(t, path),
    /s\.yaml: 2 problems\n {2}sampling\.budget\.traces_per_second: .*\n {2}sampling\.speed: /,
  );
  t.throws(() => followed(t, `${path}.none`), /none: 1 problem\n {2}\(document\): cannot be read: ENOENT/);
  writeFileSync(path, 'sampling: {');
  t.throws(() => followed(t, path), { constructor: ConfigError, message: /line \d/ });
  t.throws(() => readSamplingFile(path), /line \d/);
  t.end();
});

t.test('a change that is wrong is warned of once, and the settings before it stay', async (t) => {
  const path = join(t.testdir({ 's.yaml': withBudget(20) }), 's.yaml');
  const { file, told, logged, until, look } = followed(t, path);
  file.follow();
  writeFileSync(path, withBudget(-1));
  await until(() => file.problem !== null);
  t.match(file.problem, /sampling\.budget\.traces_per_second/);
  t.equal(file.settings.budget.tracesPerSecond, 20);
  t.same(told, []);
  t.matchOnly(logged, [/^warn the sampling file cannot be used; [\s\S]*traces_per_second/]);
  await look(() => writeFileSync(join(path, '..', 'other'), ''));
  t.equal(logged.length, 1, 'looked at again, and not told again');
  unlinkSync(path);
  await until(() => logged.length === 2);
  t.match(logged[1], /cannot be read: ENOENT/);
  writeFileSync(path, withBudget(20));
  await until(() => file.problem === null);
  t.match(logged[2], /^info/);
  t.equal(told.length, 1, 'the same as before counts as put right');
});

t.test('nothing is told when another file changes, or the same is written again', async (t) => {
  const directory = t.testdir({ 's.yaml': withBudget(20) });
  const { file, told, logged, look } = followed(t, join(directory, 's.yaml'));
  await look(() => file.follow());
  await look(() => writeFileSync(join(directory, 'other.yaml'), withBudget(50)));
  await look(() => writeFileSync(join(directory, 's.yaml'), withBudget(20)));
  t.same([told, logged], [[], []]);
});

t.test('logs that are written beside the file again and again do not put its reading off', async (t) => {
  const directory = t.testdir({ 's.yaml': withBudget(20), 'one.log': '', 'two.log': '' });
  const { file, look, looks } = followed(t, join(directory, 's.yaml'));
  await look(() => file.follow());
  const before = looks();
  const isOver = Promise.withResolvers<void>();
  const watcher = watch(directory, (_event, name) => {
    if (name === 'over') isOver.resolve();
  });
  t.teardown(() => watcher.close());
  // By turns: what happens to one file twice in a row is told once.
  for (let line = 0; line < 40; line++) appendFileSync(join(directory, line % 2 === 0 ? 'one.log' : 'two.log'), 'a');
  writeFileSync(join(directory, 'over'), '');
  await isOver.promise;
  t.ok(looks() - before < 10, `${looks() - before} looks`);
});

t.test('a link beside the file that leads elsewhere is seen, as Kubernetes changes a mounted ConfigMap', async (t) => {
  const directory = t.testdir({ one: { 's.yaml': withBudget(1) }, two: { 's.yaml': withBudget(2) } });
  const mounted = join(directory, 'mounted');
  mkdirSync(mounted);
  symlinkSync(join(directory, 'one'), join(mounted, '..data'));
  symlinkSync(join('..data', 's.yaml'), join(mounted, 's.yaml'));
  const { file, until } = followed(t, join(mounted, 's.yaml'));
  file.follow();
  symlinkSync(join(directory, 'two'), join(mounted, '..data_new'));
  renameSync(join(mounted, '..data_new'), join(mounted, '..data'));
  await until(() => file.settings.budget.tracesPerSecond === 2);
  t.pass('it was');
});
