// What one process can show of itself; two of them are in test/integration/hot-restart*.test.ts.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { HotRestart, HotRestartError, type HotRestartOptions } from '../../../proxy/hot-restart/hot-restart.ts';
import type { HotRestartSettings } from '../../../proxy/hot-restart/settings.ts';

const wanted = { listener: 'a', address: { kind: 'pipe', path: '/a' }, ipv4Compatible: false } as const;
const log: string[] = [];
const inUse = `@outrigger-hot-restart-${process.pid}_7_0 is in use: another process has`;

function optionsOf(settings: Partial<HotRestartSettings>): HotRestartOptions {
  return {
    settings: {
      epoch: 0,
      baseId: 7,
      socketPath: `@outrigger-hot-restart-${process.pid}`,
      socketMode: 0o600,
      startsWithoutParent: false,
      carriesStatistics: true,
      ...settings,
    },
    startedAtMs: 1234,
    random: () => 0.5,
    socketsAt: () => [],
    namedDescriptors: () => [],
    retire: () => undefined,
    onStatistics: () => undefined,
    giveUp: (reason) => {
      throw new Error(reason);
    },
    log: { info: (text) => void log.push(text), warn: (text) => void log.push(text) },
  };
}

t.test('a base id that cannot be written says why, and the process has it no more', async (t) => {
  const baseIdPath = '/proc/self/no-folder/base-id';
  const message = `the base id is not kept: ${baseIdPath} cannot be written: ENOENT: there is no folder /proc/self/no-folder`;
  t.throws(
    () => new HotRestart(optionsOf({ baseIdPath })),
    new HotRestartError(`${message}; make the folder, or correct the path`),
  );
  new HotRestart(optionsOf({})).close();
});

t.test('the first process inherits nothing and is the only one of its base id', async (t) => {
  const first = new HotRestart(optionsOf({}));
  t.equal(first.generation, 1);
  t.equal(first.firstStartedAtMs, 1234);
  t.same(first.inherit(wanted), []);
  t.equal(first.namedDescriptors.size, 0);
  await first.adminFree;
  first.serves();
  t.notOk(first.isRetiring);
  t.throws(() => new HotRestart(optionsOf({})), new HotRestartError(`${inUse} base id 7 and restart epoch 0`));
  first.close();
  first.close();
  new HotRestart(optionsOf({})).close();
});

t.test('a base id that was chosen is written down', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-base-id-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const baseIdPath = join(folder, 'id');
  const restart = new HotRestart(optionsOf({ baseId: 'dynamic', baseIdPath }));
  t.equal(readFileSync(baseIdPath, 'utf8'), '500000');
  t.equal(restart.baseId, 500_000);
  restart.close();
  t.end();
});

t.test('a process that has no parent to succeed does not start, or starts alone', (t) => {
  t.throws(() => new HotRestart(optionsOf({ epoch: 2 })), /nobody listens on @outrigger-hot-restart/);
  const alone = new HotRestart(optionsOf({ epoch: 2, startsWithoutParent: true }));
  t.match(log.at(-1), /starts without a parent/);
  t.equal(alone.generation, 1);
  alone.close();
  t.end();
});
