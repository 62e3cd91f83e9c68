import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { AccessLogSink } from '../../../config/access-log.ts';
import { LogSinks } from '../../../proxy/telemetry/log-sink.ts';
import type { LogWriter } from '../../../proxy/telemetry/log-writer.ts';
import { filesystemStats } from '../../../proxy/telemetry/server-stats.ts';
import { StatsStore } from '../../../proxy/telemetry/stats-store.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { openFilesIn } from '../../support/open-files.ts';
import { until } from '../../support/tcp-proxy-fixtures.ts';

interface Fixture {
  readonly open?: (sink: AccessLogSink) => Promise<LogWriter>;
  readonly queueLimitBytes?: number;
  readonly pause?: () => Promise<unknown>;
}

function fixture(options: Fixture = {}) {
  const store = new StatsStore();
  const warnings: string[] = [];
  const retries: (() => void)[] = [];
  const sinks = new LogSinks({
    stats: new WorkerStats((message) => store.accept(0, message)),
    onWarning: (text) => warnings.push(text),
    schedule: (task) => retries.push(task),
    ...options,
  });
  const stat = (index: number) => store.get(filesystemStats)!.value(index);
  return { sinks, warnings, retries, stat };
}

function batch(text: string, path = 'a.log') {
  const bytes = Buffer.from(text);
  return { sink: { kind: 'file', path } as const, bytes, lines: text.split('\n').length - 1, cause: 'size' } as const;
}

/** A file in memory that fails while `failure` is set and writes no more than `most` bytes at a time. */
function memoryFile(most = Number.POSITIVE_INFINITY) {
  const file = { text: '', failure: null as Error | null, closeFailure: null as Error | null, opened: 0, closed: 0 };
  const open = async (): Promise<LogWriter> => {
    file.opened++;
    return {
      write: async (bytes) => {
        if (file.failure !== null) throw file.failure;
        const written = Math.min(most, bytes.length);
        file.text += Buffer.from(bytes.subarray(0, written)).toString();
        return written;
      },
      close: async () => {
        file.closed++;
        if (file.closeFailure !== null) throw file.closeFailure;
      },
    };
  };
  return { file, open };
}

t.test('batches are appended to the file in order and counted', async (t) => {
  const path = join(t.testdir({ 'a.log': 'before\n' }), 'a.log');
  const { sinks, stat } = fixture();
  sinks.write(batch('1\n2\n', path));
  sinks.write({ ...batch('3\n', path), cause: 'interval' });
  t.equal(stat(filesystemStats.writeTotalBuffered), 6);
  await sinks.close();
  t.equal(readFileSync(path, 'utf8'), 'before\n1\n2\n3\n');
  t.equal(stat(filesystemStats.writeBuffered), 3);
  t.equal(stat(filesystemStats.writeCompleted), 2);
  t.equal(stat(filesystemStats.flushedByTimer), 1);
  t.equal(stat(filesystemStats.writeTotalBuffered), 0);
});

t.test('a file that is opened before its first line takes that line, and is opened once', async (t) => {
  const folder = t.testdir({ 'not-a-folder': '' });
  const path = join(folder, 'a.log');
  const { sinks, warnings } = fixture({ open: () => Promise.reject(new Error('it is open already')) });
  t.equal(sinks.open({ kind: 'file', path }), undefined);
  t.equal(readFileSync(path, 'utf8'), '', 'it is there at once');
  renameSync(path, `${path}.1`);
  t.equal(sinks.open({ kind: 'file', path }), undefined, 'for another listener');
  sinks.write(batch('line\n', path));
  await sinks.close();
  t.equal(readFileSync(`${path}.1`, 'utf8'), 'line\n');
  t.same(warnings, []);
  const inside = { kind: 'file', path: join(folder, 'not-a-folder', 'a.log') } as const;
  t.equal(sinks.open(inside), 'ENOTDIR: not a directory');
  t.equal(sinks.open(inside), 'ENOTDIR: not a directory', 'it is not taken for open');
});

t.test('a rotated file is let go and a new one is made', async (t) => {
  const path = join(t.testdir(), 'a.log');
  const opened: (() => void)[] = [];
  const { openLog } = await import('../../../proxy/telemetry/log-writer.ts');
  const { sinks } = fixture({
    open: async (sink) => {
      const writer = await openLog(sink);
      opened.shift()?.();
      return writer;
    },
  });
  const isOpen = new Promise<void>((resolve) => opened.push(resolve));
  sinks.write(batch('old\n', path));
  await isOpen;
  renameSync(path, `${path}.1`);
  sinks.reopen();
  sinks.write(batch('new\n', path));
  await sinks.close();
  t.equal(readFileSync(`${path}.1`, 'utf8'), 'old\n');
  t.equal(readFileSync(path, 'utf8'), 'new\n');
});

t.test('when a file cannot be reopened the old one is kept', async (t) => {
  const { file, open } = memoryFile();
  let isGone = false;
  const { sinks, warnings, stat } = fixture({
    open: () => (isGone ? Promise.reject(new Error('EACCES: no')) : open()),
  });
  sinks.write(batch('1\n'));
  await sinks.close();
  t.equal(file.closed, 1);
  sinks.write(batch('2\n'));
  sinks.reopen();
  sinks.write(batch('3\n'));
  queueMicrotask(() => {
    isGone = true;
  });
  await sinks.close();
  t.equal(file.text, '1\n2\n3\n');
  t.equal(stat(filesystemStats.reopenFailed), 1);
  t.matchOnly(warnings, [/a\.log cannot be reopened.*EACCES/]);
});

t.test('a full disk loses the oldest batches only, warns once, and tells when it is over', async (t) => {
  const { file, open } = memoryFile();
  const { sinks, warnings, retries, stat } = fixture({ open, queueLimitBytes: 6 });
  file.failure = new Error('ENOSPC: no space left on device');
  sinks.write(batch('1\n'));
  await sinks.close();
  for (const text of ['2\n', '3\n', '4\n', '5\n']) sinks.write(batch(text));
  t.equal(stat(filesystemStats.writeTotalBuffered), 6);
  retries.shift()!();
  await sinks.close();
  t.equal(warnings.length, 1);
  t.match(warnings[0], /a\.log cannot be written.*ENOSPC/);
  file.failure = null;
  await sinks.close();
  t.equal(file.text, '3\n4\n5\n');
  t.match(warnings[1], /a\.log is written again; 2 lines were lost/);
  t.equal(stat(filesystemStats.writeTotalBuffered), 0);
  t.ok(stat(filesystemStats.writeFailed) >= 3, 'two batches and the failed writes');
});

t.test('while a sink fails, new lines wait for the clock and do not try again', async (t) => {
  const { file, open } = memoryFile();
  const { sinks, retries } = fixture({ open });
  file.failure = new Error('EIO');
  sinks.write(batch('1\n'));
  await sinks.close();
  const { opened } = file;
  sinks.write(batch('2\n'));
  sinks.write(batch('3\n'));
  t.equal(file.opened, opened);
  t.equal(retries.length, 1);
  file.failure = null;
  retries.shift()!();
  await sinks.close();
  t.equal(file.text, '1\n2\n3\n');
});

t.test('a reader that stands still is waited for, but not at the end of the process', async (t) => {
  const { file, open } = memoryFile();
  let refusals = 3;
  let pauses = 0;
  const { sinks, warnings } = fixture({
    open: async () => {
      const writer = await open();
      return { ...writer, write: async (bytes) => (refusals-- > 0 ? 0 : writer.write(bytes)) };
    },
    pause: async () => {
      pauses++;
    },
  });
  sinks.write(batch('1\n'));
  await sinks.close();
  t.equal(file.text, '1\n');
  t.equal(pauses, 3);
  refusals = Number.POSITIVE_INFINITY;
  sinks.write(batch('2\n'));
  await sinks.close();
  t.equal(file.text, '1\n');
  t.matchOnly(warnings, [/its reader stands still/]);
});

t.test('when a reader is too slow the oldest lines go, which is said once, and again when it reads', async (t) => {
  const { file, open } = memoryFile();
  let isReading = false;
  let read: () => void = () => undefined;
  const { sinks, warnings, stat } = fixture({
    queueLimitBytes: 6,
    open: async () => {
      const writer = await open();
      return { ...writer, write: async (bytes) => (isReading ? writer.write(bytes) : 0) };
    },
    pause: () =>
      new Promise<void>((resolve) => {
        read = resolve;
      }),
  });
  for (const line of ['1\n', '2\n', '3\n', '4\n', '5\n']) sinks.write(batch(line));
  t.strictSame(warnings, ['log a.log is not read fast enough: the oldest lines are dropped']);
  t.equal(stat(filesystemStats.writeFailed), 2);
  t.equal(stat(filesystemStats.writeTotalBuffered), 6);
  // The batch being written waits for its reader from the next turn on.
  await new Promise((resolve) => setImmediate(resolve));
  isReading = true;
  read();
  await sinks.close();
  t.equal(file.text, '1\n4\n5\n', 'the batch being written is kept, so that no line is torn');
  t.matchOnly(warnings, [/not read fast enough/, 'log a.log is written again; 2 lines were lost']);
});

t.test('a file that cannot be opened costs no other sink a line', async (t) => {
  const dir = t.testdir();
  const { sinks, warnings } = fixture();
  sinks.write(batch('lost\n', join(dir, 'missing', 'a.log')));
  sinks.write(batch('kept\n', join(dir, 'b.log')));
  await sinks.close();
  t.equal(readFileSync(join(dir, 'b.log'), 'utf8'), 'kept\n');
  t.matchOnly(warnings, [/ENOENT/]);
});

t.test('a line begun is finished, whatever the writer takes at a time and whenever it fails', async (t) => {
  const lines = fc.array(fc.record({ length: fc.integer({ min: 1, max: 20 }), isFailing: fc.boolean() }), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(lines, fc.integer({ min: 1, max: 7 }), async (steps, most) => {
      const { file, open } = memoryFile(most);
      const { sinks } = fixture({ open, queueLimitBytes: 60 });
      for (const [number, { length, isFailing }] of steps.entries()) {
        file.failure = isFailing ? new Error('ENOSPC') : null;
        sinks.write(batch(`${String(number).padStart(length, '.')}\n`));
        if (number % 3 === 0) await sinks.close();
      }
      file.failure = null;
      await sinks.close();
      const numbers = file.text
        .split('\n')
        .slice(0, -1)
        .map((line) => {
          const [, number] = /^\.*(\d+)$/.exec(line)!;
          t.equal(line.length, Math.max(steps[Number(number)]!.length, number!.length));
          return Number(number);
        });
      t.strictSame(
        numbers,
        [...new Set(numbers)].toSorted((left, right) => left - right),
      );
    }),
    { numRuns: 60 },
  );
});

t.test('files that nobody names, opens or writes to any more are closed, and opened again for a line', async (t) => {
  const folder = t.testdir({});
  const { sinks } = fixture();
  const named = new Set([join(folder, 'served.log')]);
  const sweep = () => sinks.closeUnnamed((path) => named.has(path));
  for (const name of ['served.log', 'refused.log', 'draining.log']) {
    t.equal(sinks.open({ kind: 'file', path: join(folder, name) }), undefined);
  }
  sweep();
  t.same(openFilesIn(folder), ['draining.log', 'refused.log', 'served.log'], 'a listener may be on its way');
  sinks.write(batch('1\n', join(folder, 'draining.log')));
  sweep();
  await until(() => openFilesIn(folder).length === 2);
  t.same(openFilesIn(folder), ['draining.log', 'served.log']);
  await until(() => readFileSync(join(folder, 'draining.log'), 'utf8') === '1\n');
  // One that is written to at the moment is looked at the next time.
  await until(() => {
    sweep();
    return openFilesIn(folder).length === 1;
  });
  t.same(openFilesIn(folder), ['served.log']);
  sinks.write(batch('2\n', join(folder, 'draining.log')));
  await sinks.close();
  t.equal(readFileSync(join(folder, 'draining.log'), 'utf8'), '1\n2\n');
  t.same(openFilesIn(folder), []);
});

t.test('a sink that cannot be written keeps what waits, whoever names it', async (t) => {
  const { file, open } = memoryFile();
  file.failure = new Error('no space');
  const { sinks, retries } = fixture({ open });
  sinks.write(batch('1\n'));
  await until(() => retries.length === 1);
  for (let count = 0; count < 3; count++) sinks.closeUnnamed(() => false);
  file.failure = null;
  await sinks.close();
  t.equal(file.text, '1\n');
});

t.test('a file whose close fails ends no process, and its last lines are told of', async (t) => {
  const { file, open } = memoryFile();
  file.closeFailure = new Error('EIO: i/o error, close');
  const { sinks, warnings } = fixture({ open });
  sinks.write(batch('1\n'));
  await until(() => {
    sinks.closeUnnamed(() => false);
    return file.closed === 1;
  });
  sinks.write(batch('2\n', 'b.log'));
  await sinks.close();
  t.equal(file.closed, 2);
  t.same(warnings, [
    'log a.log was closed, and what was written last may be lost: EIO: i/o error, close',
    'log b.log was closed, and what was written last may be lost: EIO: i/o error, close',
  ]);
});
