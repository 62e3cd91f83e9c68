// The tables of the data path, once more with uWebSockets.js towards clients and undici towards endpoints: what a client and
// an endpoint see must not depend on the engine. Each file is run as a program of its own, with a C library that is new
// enough for uWebSockets.js; or starts Outrigger so, where it needs the whole process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { findNewerLibc } from '../../build/newer-libc.ts';
import { dyingWithParent } from '../support/sidecar.ts';

/** Those with a worker in the test's own thread (test/support/data-plane.ts). */
const FILES = [
  'forwarding',
  'vectors',
  'upgrade',
  'connect-termination',
  'pipelining',
  'hostile-client',
  'hostile-origin',
  'keep-alive',
  'local-reply',
  'relayed-response',
  'retry',
  'internal-redirect',
  'listener-update',
];

/** Those that start the process, whose engine is both libraries (test/support/sidecar.ts). */
const PROCESS_FILES = ['listener-filters', 'on-demand'];

/** `uws` is uWebSockets.js with our own connections to endpoints: what fails with it is no fault of undici's. */
const ENGINES = ['uws', 'uws+undici'];

t.setTimeout(300_000);

const libc = findNewerLibc();
const before = 'missing' in libc ? [] : libc.before;
const skip = 'missing' in libc && `no ${libc.missing}`;

for (const engine of ENGINES) for (const file of FILES) runBy(engine, file, before);
for (const file of PROCESS_FILES) runBy('uws+undici', file, []);

function runBy(engine: string, file: string, loader: readonly string[]): void {
  t.test(`${file} by ${engine}`, { skip }, async (t) => {
    const [command, ...args] = [
      ...dyingWithParent(),
      ...loader,
      process.execPath,
      join(import.meta.dirname, `${file}.test.ts`),
    ];
    const env = { ...process.env, OUTRIGGER_TEST_ENGINE: engine };
    const child = spawn(command!, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString();
    });
    const [code] = await once(child, 'close');
    t.equal(code, 0, output.match(/^ *not ok .*$/gm)?.join('\n') ?? 'all passed');
  });
}
