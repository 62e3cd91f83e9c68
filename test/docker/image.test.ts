// Follows the Dockerfile's own lines in a scratch directory, since a Docker daemon is seldom where tests run. Two steps
// are replaced, because a test downloads nothing: apt's packages are the machine's, and `npm ci` is the folder of
// dependencies that is here already plus the `prepare` script that `npm ci` would call.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { parseDockerfile, type Stage } from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const READY_WITHIN_MS = 20_000;

const stages = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
const build = stages.find((stage) => stage.name === 'build')!;
const image = stages.at(-1)!;

t.test('the image is Debian 13 slim and runs as uid 1337 without a shell in front', (t) => {
  t.equal(image.from, 'debian:13-slim');
  t.equal(instructionOf(image, 'USER'), '1337:1337');
  t.same(JSON.parse(instructionOf(image, 'ENTRYPOINT')!), ['/opt/outrigger/bin/outrigger']);
  t.equal(instructionOf(image, 'HEALTHCHECK'), undefined, 'the orchestrator probes /ready itself');
  t.end();
});

t.test('what the build stage copies is let through by .dockerignore', (t) => {
  const admitted = readFileSync(join(ROOT, '.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  const copied = copiesOf(build).flatMap((copy) => copy.sources);
  t.same(copied.toSorted(), admitted.toSorted());
  t.end();
});

const cannotStart = process.getuid?.() === 0 ? false : 'mounting a read-only root needs root';

t.test('the assembled tree starts read-only as uid 1337 and becomes ready', { skip: cannotStart }, async (t) => {
  const scratch = mkdtempSync(join(tmpdir(), 'outrigger-image-'));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  chmodSync(scratch, 0o755);
  followBuildStage(scratch);
  for (const { sources, target } of copiesOf(image)) {
    for (const source of sources) cpSync(inside(scratch, source), inside(scratch, target), { recursive: true });
  }
  const port = await freePort();
  writeFileSync(join(scratch, 'bootstrap.yaml'), adminOnly(port));
  const command: string[] = JSON.parse(instructionOf(image, 'ENTRYPOINT')!);
  const sidecar = startReadOnly(inside(scratch, command[0]!), join(scratch, 'bootstrap.yaml'));
  t.teardown(() => sidecar.kill('SIGKILL'));
  const output = collect(sidecar);
  const ready = await Promise.race([waitForReady(port), once(sidecar, 'exit').then(() => undefined)]);
  t.equal(ready, 'LIVE\n', output());
  sidecar.kill('SIGTERM');
  t.same(await once(sidecar, 'exit'), [0, null], 'SIGTERM ends it in order');
});

function followBuildStage(scratch: string): void {
  const folder = inside(scratch, instructionOf(build, 'WORKDIR')!);
  mkdirSync(folder, { recursive: true });
  for (const { sources, target } of copiesOf(build)) {
    for (const source of sources) {
      const destination = target.endsWith(`/${source}`) ? join(folder, target) : join(folder, target, source);
      cpSync(join(ROOT, source), destination, { recursive: true });
    }
  }
  for (const { keyword, value } of build.instructions) {
    if (keyword !== 'RUN' || value.startsWith('apt-get ')) continue;
    if (value.startsWith('npm ci')) installFromHere(folder);
    else run(value.replaceAll('/image', join(scratch, 'image')), folder);
  }
}

function installFromHere(folder: string): void {
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const scripts: Record<string, string> = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).scripts;
  run(scripts['prepare']!, folder);
}

function run(command: string, folder: string): void {
  const env = { ...process.env, PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env['PATH']}` };
  const done = spawnSync('sh', ['-ec', command], { cwd: folder, env, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command}\n${done.stdout}${done.stderr}`);
}

/** In a mount namespace whose root is read-only, as `docker run --read-only` does. */
function startReadOnly(entry: string, bootstrap: string): ChildProcess {
  const script = 'mount --make-rprivate / && mount -o remount,bind,ro / && exec "$@"';
  const user = ['setpriv', '--reuid=1337', '--regid=1337', '--clear-groups', '--no-new-privs'];
  const command = ['--mount', 'sh', '-ec', script, 'sh', ...user, entry, '-c', bootstrap, '--drain-time-s', '1'];
  return spawn('unshare', command, { cwd: dirname(bootstrap), env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function waitForReady(port: number): Promise<string> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/ready`);
      if (response.ok || performance.now() > deadline) return await response.text();
    } catch (error) {
      if (performance.now() > deadline) return String(error);
    }
    await delay(20);
  }
}

function adminOnly(port: number): string {
  return `admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${port} } } }\n`;
}

function collect(child: ChildProcess): () => string {
  const chunks: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString('utf8');
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function copiesOf(stage: Stage): { readonly sources: readonly string[]; readonly target: string }[] {
  return stage.instructions
    .filter(({ keyword }) => keyword === 'COPY')
    .map(({ value }) => value.split(/\s+/).filter((word) => !word.startsWith('--')))
    .map((words) => ({ sources: words.slice(0, -1), target: words.at(-1)! }));
}

function instructionOf(stage: Stage, keyword: string): string | undefined {
  return stage.instructions.find((instruction) => instruction.keyword === keyword)?.value;
}

/** Where the image's absolute path lies in the scratch directory. */
function inside(scratch: string, path: string): string {
  return join(scratch, path);
}
