// `node test/frozen.ts [--longest-ms N] [--seed N] [FILTER…]`: the tests on a machine that stands still now and then, as a busy
// host lets its guests do. All processes of the run stop for 200 ms and more, every other second, and none of them can tell.
// Whatever fails there and not in `npm test` has a verdict that depends on the machine's pace. For root only.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from './support/cluster-fixtures.ts';

const SHORTEST_MS = 200;
const RUNNING_MS = [800, 3000] as const;

interface Freezer {
  readonly folder: string;
  set(isFrozen: boolean): void;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'longest-ms': { type: 'string', default: '1200' },
    seed: { type: 'string', default: String(process.pid) },
  },
});
const random = seededRandom(Number(values.seed));
const between = (least: number, most: number): number => least + random() * (most - least);

const freezer = openFreezer(`outrigger-frozen-${process.pid}`);
console.log(`seed ${values.seed}`);
const run = start(freezer, positionals);
const ended = once(run, 'exit');
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => run.kill(name));
const freezing = freezeAgainAndAgain();
const [code] = (await ended) as [number | null];
process.exitCode = code ?? 1;
await freezing;
// What tests left behind ends a moment after the run.
while (readFileSync(join(freezer.folder, 'cgroup.procs'), 'utf8') !== '') await delay(100);
rmdirSync(freezer.folder);

/** That of cgroup v1 where there is one: tests put processes into groups of v2, which takes them out of ours. */
function openFreezer(name: string): Freezer {
  const first = '/sys/fs/cgroup/freezer';
  if (existsSync(first)) {
    const folder = join(first, name);
    mkdirSync(folder);
    return { folder, set: (frozen) => writeFileSync(join(folder, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED') };
  }
  const folder = join('/sys/fs/cgroup', name);
  mkdirSync(folder);
  return { folder, set: (frozen) => writeFileSync(join(folder, 'cgroup.freeze'), frozen ? '1' : '0') };
}

/** The shell becomes the run, and everything that it starts is in its group. */
function start({ folder }: Freezer, filters: readonly string[]): ChildProcess {
  const joining = 'echo $$ > "$0" && exec "$@"';
  const command = [process.execPath, join(import.meta.dirname, 'run.ts'), ...filters];
  return spawn('/bin/sh', ['-c', joining, join(folder, 'cgroup.procs'), ...command], { stdio: 'inherit' });
}

async function freezeAgainAndAgain(): Promise<void> {
  while (run.exitCode === null && run.signalCode === null) {
    await delay(between(...RUNNING_MS));
    freezer.set(true);
    await delay(between(SHORTEST_MS, Number(values['longest-ms'])));
    freezer.set(false);
  }
}
