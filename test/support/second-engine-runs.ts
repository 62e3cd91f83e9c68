// Test files run once more by another engine, each as a program of its own with a C library that is new enough for
// uWebSockets.js.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { findNewerLibc } from '../../build/newer-libc.ts';
import { dyingWithParent } from './sidecar.ts';

const INTEGRATION = join(import.meta.dirname, '..', 'integration');

/** Those of the data path with a worker in the test's own thread (`data-plane.ts`). */
export const DATA_PATH_FILES = [
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
];

/** They start Outrigger, with that C library (`sidecar.ts`), and need none of their own. */
const PROCESS_FILES = ['listener-filters', 'on-demand'];

/** Less than a file's own limit in `runner/`, so that the one that hangs is named, with the test it hangs in. */
const FILE_TIMEOUT_S = 200;

/** `uws` is uWebSockets.js with our own connections to endpoints; `uws+undici` is both libraries. */
export type EngineUnderTest = 'uws' | 'uws+undici';

/** A test for each of these files of `integration/`, which passes if all in the file do. */
export function runByEngine(engine: EngineUnderTest, files: readonly string[]): void {
  t.setTimeout(files.length * FILE_TIMEOUT_S * 1000);
  const libc = findNewerLibc();
  const skip = 'missing' in libc && `no ${libc.missing}`;
  const loader = 'missing' in libc ? [] : libc.before;
  for (const file of files) {
    const before = PROCESS_FILES.includes(file) ? [] : loader;
    t.test(`${file} by ${engine}`, { skip }, (t) => {
      const outcome = runFile(engine, file, before);
      t.teardown(() => outcome.kill());
      return outcome.ended.then(({ code, output }) => t.equal(code, 0, failuresIn(output)));
    });
  }
}

function runFile(engine: EngineUnderTest, file: string, before: readonly string[]) {
  const [command, ...args] = [
    ...dyingWithParent(),
    ...before,
    process.execPath,
    ...process.execArgv,
    join(INTEGRATION, `${file}.test.ts`),
  ];
  const env = { ...process.env, OUTRIGGER_TEST_ENGINE: engine, TAP_TIMEOUT: String(FILE_TIMEOUT_S) };
  const child = spawn(command!, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, output }));
  return { ended, kill: () => child.kill('SIGKILL') };
}

function failuresIn(output: string): string {
  return output.match(/^ *not ok .*$/gm)?.join('\n') ?? `no test failed; its last words: ${output.slice(-300)}`;
}
