import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openLog, openLogNow } from '../../../proxy/telemetry/log-writer.ts';

t.test('a file is made, appended to, and not readable for writing by others', async (t) => {
  const path = join(t.testdir(), 'a.log');
  const writer = await openLog({ kind: 'file', path });
  t.equal(await writer.write(Buffer.from('line\n')), 5);
  await writer.close();
  const { size, mode } = statSync(path);
  t.equal(size, 5);
  t.equal(mode & 0o022, 0);
});

t.test('what cannot be opened rejects with the system error', async (t) => {
  await t.rejects(openLog({ kind: 'file', path: join(t.testdir(), 'missing', 'a.log') }), { code: 'ENOENT' });
});

t.test('standard streams are written by any of their names', (t) => {
  const module = new URL('../../../proxy/telemetry/log-writer.ts', import.meta.url);
  const script = `
    const { openLog } = await import('${module}');
    const sinks = [{ kind: 'stdout' }, { kind: 'file', path: '/dev/stdout' }, { kind: 'stderr' }, { kind: 'file', path: '/dev/stderr' }];
    for (const sink of sinks) {
      const writer = await openLog(sink);
      await writer.write(Buffer.from('line\\n'));
      await writer.close();
    }
  `;
  const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  t.equal(run.stdout, 'line\nline\n');
  t.equal(run.stderr, 'line\nline\n');
  t.end();
});

t.test('a full pipe takes nothing and does not block the thread that writes', async (t) => {
  const path = join(t.testdir(), 'pipe');
  t.equal(spawnSync('mkfifo', [path]).status, 0);
  await t.rejects(openLog({ kind: 'file', path }), { code: 'ENXIO' }, 'nobody reads it yet');
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = await openLog({ kind: 'file', path });
  const bytes = Buffer.alloc(1 << 20, 'x');
  const written = await writer.write(bytes);
  t.ok(written > 0 && written < bytes.length);
  t.equal(await writer.write(bytes), 0);
  t.ok(readSync(reader, bytes) > 0);
  t.ok((await writer.write(bytes)) > 0);
  await writer.close();
  closeSync(reader);
});

t.test('a file is opened before its first line, where there is one to open', async (t) => {
  const folder = t.testdir();
  const pipe = join(folder, 'pipe');
  t.equal(spawnSync('mkfifo', [pipe]).status, 0);
  t.equal(openLogNow({ kind: 'file', path: pipe }), null, 'its reader may come later');
  for (const sink of [{ kind: 'stdout' }, { kind: 'file', path: '/dev/stderr' }] as const)
    t.equal(openLogNow(sink), null);
  const writer = openLogNow({ kind: 'file', path: join(folder, 'a.log') })!;
  t.equal(await writer.write(Buffer.from('line\n')), 5);
  await writer.close();
  t.throws(() => openLogNow({ kind: 'file', path: join(folder, 'missing', 'a.log') }), { code: 'ENOENT' });
  t.throws(() => openLogNow({ kind: 'file', path: folder }), { code: 'EISDIR' });
});
