// What becomes of the whole process when one of its workers dies: it says so and ends, so that whoever runs it starts it
// anew. With a part of its workers it would go on looking well.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startPatientOrigin } from '../support/patient-origin.ts';
import { clusterAt, httpFilterChain, socketAddress, startSidecar } from '../support/sidecar.ts';
import { connectTo, isDone, request } from '../support/single-listener.ts';

t.setTimeout(900_000);

/** Loaded by every thread: the second worker throws as soon as a file is there. */
const fault = `
const { existsSync } = require('node:fs');
const { isMainThread, workerData } = require('node:worker_threads');
if (!isMainThread && workerData?.workerIndex === 1) {
  setInterval(() => {
    if (existsSync(__dirname + '/die')) throw new Error('a fault of the test');
  }, 5).unref();
}
`;

t.test('a worker that dies ends the process with a line that says which and why', async (t) => {
  const folder = t.testdir({ 'fault.cjs': fault });
  const origin = await startPatientOrigin(t);
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'app' } }];
  const manager = { route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes }] } };
  const sidecar = await startSidecar(t, {
    runner: `env NODE_OPTIONS=--require=${join(folder, 'fault.cjs')}`,
    flags: ['--concurrency', '2'],
    bootstrap: {
      static_resources: {
        listeners: [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app', manager)] }],
        clusters: [clusterAt('app', origin.port)],
      },
    },
  });
  const client = await connectTo(t, sidecar.port('http'));
  await client.write(request('/'));
  t.match(await client.until(isDone), /^HTTP\/1\.1 200 /, 'it serves before');
  writeFileSync(join(folder, 'die'), '');
  t.equal(await sidecar.ended, 1);
  const last = sidecar.log.filter(({ msg }) => msg.includes('died'));
  t.equal(last.length, 1, 'said once');
  t.match(
    last[0]?.msg,
    /^worker 1 died and with it all its connections; the process ends: Error: a fault of the test\n +at /,
  );
  t.equal(last[0]?.level, 'critical');
  await client.ended();
});
