// What the admin interface changes of listeners: failing health checks and graceful drains.

import t from 'tap';
import { startPatientOrigin } from '../support/patient-origin.ts';
import { pause } from '../support/pause.ts';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';
import { connectTo, isDone, isRefused, request, startBefore } from '../support/single-listener.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);
// While one waits another goes on: each has processes of its own.
t.jobs = 3;

t.test('/healthcheck/fail asks clients to leave after their response, /healthcheck/ok takes it back', async (t) => {
  const origin = await startPatientOrigin(t);
  const sidecar = await startBefore(t, { port: origin.port });
  const respond = async () => {
    const client = await connectTo(t, sidecar.port('http'));
    await client.write(request('/'));
    return client.until(isDone);
  };
  const isAsked = async (): Promise<boolean> => /\r\nconnection: close\r\n/i.test(await respond());
  t.notOk(await isAsked());
  await sidecar.admin('/healthcheck/fail', 'POST');
  t.match(await sidecar.admin('/ready'), 'DRAINING');
  while (!(await isAsked())) await pause();
  await sidecar.admin('/healthcheck/ok', 'POST');
  t.match(await sidecar.admin('/ready'), 'LIVE');
  while (await isAsked()) await pause();
});

t.test(
  'a graceful drain of listeners asks clients to leave, then stops listening, and the process stays',
  async (t) => {
    const origin = await startPatientOrigin(t);
    for (const strategy of ['gradual', 'immediate']) {
      const flags = ['--drain-time-s', '1', '--drain-strategy', strategy];
      const sidecar = await startBefore(t, { port: origin.port, flags });
      const port = sidecar.port('http');
      const idle = await connectTo(t, port);
      await idle.write(request('/'));
      await idle.until(isDone);
      await sidecar.admin('/drain_listeners?graceful', 'POST');
      await idle.ended();
      t.equal(idle.outcome, 'end', strategy);
      while (!(await isRefused(port))) await pause();
      t.match(await sidecar.admin('/server_info'), /"state"/);
      sidecar.process.kill('SIGTERM');
      t.equal(await sidecar.ended, 0);
    }
  },
);

t.test('only inbound listeners are drained when that is asked', async (t) => {
  const origin = await startPatientOrigin(t);
  const of = (name: string, traffic_direction: string): object => ({
    name,
    address: socketAddress(0),
    traffic_direction,
    filter_chains: [httpFilterChain('app')],
  });
  const listeners = [of('in', 'INBOUND'), of('out', 'OUTBOUND')];
  const bootstrap = { static_resources: { listeners, clusters: [clusterAt('app', origin.port)] } };
  const sidecar = await startSidecar(t, { bootstrap, flags: ['--concurrency', '1'] });
  await sidecar.admin('/drain_listeners?inboundonly', 'POST');
  while (!(await isRefused(sidecar.port('in')))) await pause();
  const client = await connectTo(t, sidecar.port('out'));
  await client.write(request('/'));
  t.match(await client.until(isDone), /^HTTP\/1\.1 200/);
});
