// The access log of the admin interface of a whole process: its file is there before the first request, and has a line for
// each, the one that ends the process too. The lines are those that Envoy 1.40 writes.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { socketAddress, startSidecar } from '../support/sidecar.ts';

// Starting a process takes seconds on a busy machine.
t.setTimeout(900_000);

t.test('each request of the admin interface is a line in its log', async (t) => {
  const path = join(t.testdir({}), 'admin.log');
  const bootstrap = { admin: { address: socketAddress(0), access_log_path: path } };
  const sidecar = await startSidecar(t, { bootstrap, flags: ['--concurrency', '1'] });
  t.ok(existsSync(path));
  await sidecar.admin('/nothing');
  await sidecar.admin('/logging', 'POST');
  await sidecar.admin('/quitquitquit', 'POST');
  t.equal(await sidecar.ended, 0);
  const lines = readFileSync(path, 'utf8').split('\n');
  const written = (line: string) =>
    lines.some((each) =>
      new RegExp(`^\\[[-\\dT:.]+Z\\] ${line} - \\d+ \\d+ \\d+ - "[\\d.]+" "[^"]+" "-" "[^"]+" "-"$`).test(each),
    );
  t.ok(written('"GET /nothing HTTP/1\\.1" 404'), `${lines}`);
  t.ok(written('"POST /logging HTTP/1\\.1" 200'), `${lines}`);
  t.ok(written('"POST /quitquitquit HTTP/1\\.1" 200'), `${lines}`);
});
