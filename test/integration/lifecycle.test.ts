// How the process drains and ends by its signals.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { startPatientOrigin } from '../support/patient-origin.ts';
import { pause } from '../support/pause.ts';
import { fileAccessLog, type Sidecar } from '../support/sidecar.ts';
import { connectTo, isDone, isRefused, request, startBefore } from '../support/single-listener.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

t.test('SIGTERM lets idle clients go, finishes what is in flight, takes nothing new, and ends', async (t) => {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port });
  const port = sidecar.port('http');
  const [idle, early, late] = [await connectTo(t, port), await connectTo(t, port), await connectTo(t, port)];
  await idle.write(request('/'));
  await idle.until(isDone);
  await early.write(request('/head'));
  await late.write(request('/body'));
  await Promise.all([origin.arrived('/head'), origin.arrived('/body'), late.until((text) => text.endsWith('do'))]);

  sidecar.process.kill('SIGTERM');
  await idle.ended();
  t.equal(idle.outcome, 'end', 'an idle connection gets a FIN');
  t.ok(await isRefused(port), 'nobody listens any more');
  t.match(await sidecar.admin('/ready'), 'DRAINING');
  origin.finish();
  t.match(await early.until(isDone), /\r\nconnection: close\r\n/i, 'a head that was not sent yet says so');
  await late.until(isDone);
  await early.ended();
  t.equal(early.outcome, 'end');
  await late.ended();
  t.equal(late.outcome, 'end');
  t.equal(await sidecar.ended, 0);
});

t.test('a second SIGTERM ends at once', async (t) => {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port });
  const client = await connectTo(t, sidecar.port('http'));
  await client.write(request('/head'));
  await origin.arrived('/head');
  sidecar.process.kill('SIGTERM');
  await sidecar.logged(/^draining/);
  sidecar.process.kill('SIGTERM');
  t.equal(await sidecar.ended, 0);
});

t.test('the drain time bounds the wait', async (t) => {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port, flags: ['--drain-time-s', '1'] });
  const client = await connectTo(t, sidecar.port('http'));
  await client.write(request('/head'));
  await origin.arrived('/head');
  sidecar.process.kill('SIGTERM');
  await sidecar.logged(/^the drain time is over/);
  t.equal(await sidecar.ended, 0);
});

t.test('SIGINT and POST /quitquitquit end without a drain', async (t) => {
  const origin = await startPatientOrigin(t);
  for (const end of [
    (sidecar: Sidecar) => sidecar.process.kill('SIGINT'),
    (sidecar: Sidecar) => sidecar.admin('/quitquitquit', 'POST'),
  ]) {
    const sidecar = await startBefore(t, { port: origin.port });
    const client = await connectTo(t, sidecar.port('http'));
    await client.write(request('/head'));
    await end(sidecar);
    t.equal(await sidecar.ended, 0);
  }
});

t.test('SIGHUP and SIGUSR1 open log files anew', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-logs-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'access.log');
  const origin = await startPatientOrigin(t);
  const manager = { access_log: [fileAccessLog(file, '%REQ(:path)%\n')] };
  const sidecar = await startBefore(t, { port: origin.port, manager, flags: ['--file-flush-interval-msec', '5'] });
  const client = await connectTo(t, sidecar.port('http'));
  // Nobody is told when a file changes.
  const shown = async (isShown: () => boolean) => {
    while (!isShown()) await pause();
  };
  const logged = async (path: string) => {
    await client.write(request(path));
    await shown(() => existsSync(file) && readFileSync(file, 'utf8').includes(`${path}\n`));
  };
  await logged('/one');
  for (const [signal, path] of [
    ['SIGHUP', '/two'],
    ['SIGUSR1', '/three'],
  ] as const) {
    renameSync(file, join(folder, signal));
    sidecar.process.kill(signal);
    // A request before the signal arrives belongs to the file that was renamed.
    await shown(() => existsSync(file));
    await logged(path);
  }
  t.equal(readFileSync(join(folder, 'SIGHUP'), 'utf8'), '/one\n');
  t.equal(readFileSync(file, 'utf8').trim().split('\n').at(-1), '/three');
});
