// Follows the Dockerfile's own lines in a scratch directory, since a Docker daemon is seldom where tests run. Two steps
// are replaced, because a test downloads nothing: apt's packages are the machine's, and `npm ci` is the folder of
// dependencies that is here already plus the `prepare` script that `npm ci` would call.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { freePorts } from '../../bench/peers/free-ports.ts';
import { isFailure } from '../../bpf/loader/load-failure.ts';
import { ObjectFiles } from '../../bpf/loader/object-files.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';
import { rootProblem } from '../support/privileges.ts';
import { parseDockerfile, type Stage } from './dockerfile.ts';

const ROOT = join(import.meta.dirname, '../..');
const READY_WITHIN_MS = 20_000;

const stages = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
const build = stages.find((stage) => stage.name === 'build')!;
const objects = stages.find((stage) => stage.name === 'objects')!;
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

t.test('hooks of Istio’s injector find it under the name of Istio’s agent', (t) => {
  const scratch = scratchFolder(t);
  for (const folder of ['usr/local/bin', 'opt/outrigger/bin', 'opt/outrigger/dist']) {
    mkdirSync(join(scratch, folder), { recursive: true });
  }
  copyFileSync(join(ROOT, 'bin/outrigger'), join(scratch, 'opt/outrigger/bin/outrigger'));
  for (const program of ['outrigger', 'bpf']) writeFileSync(join(scratch, `opt/outrigger/dist/${program}.cjs`), '');
  const links = image.instructions.filter(({ keyword, value }) => keyword === 'RUN' && !value.startsWith('apt-get '));
  for (const { value } of links) run(value.replaceAll('/usr/local', `${scratch}/usr/local`), scratch);
  const env = { PATH: `${scratch}/usr/local/bin:/bin:/usr/bin`, OUTRIGGER_NODE: '/bin/echo' };
  for (const command of ['outrigger proxy sidecar', 'pilot-agent wait', 'pilot-agent request POST drain']) {
    const { stdout } = spawnSync('sh', ['-c', command], { env, encoding: 'utf8' });
    t.match(stdout, new RegExp(`dist/outrigger\\.cjs ${command.replace(/^\S+ /, '')}\n$`), command);
  }
  const { stdout } = spawnSync('sh', ['-c', 'pilot-agent istio-iptables -p 15001'], { env, encoding: 'utf8' });
  t.match(stdout, /dist\/bpf\.cjs istio-iptables -p 15001\n$/);
  t.end();
});

t.test('an init container finds iptables', (t) => {
  const installed = image.instructions.find(({ value }) => value.startsWith('apt-get update'))!.value.split(/\s+/);
  for (const name of ['iptables', 'libbpf1', 'ca-certificates']) t.ok(installed.includes(name), name);
  t.end();
});

const cannotCompile = bpfSkipReason('clang', 'objects') ?? false;

t.test(
  'the image has the programs that its sources make, and they are what their manifest says',
  { skip: cannotCompile },
  (t) => {
    const scratch = scratchFolder(t);
    t.equal(objects.from, 'build', 'it begins where the build stage ends');
    const copy = copiesOf(image).find(({ from }) => from === 'objects')!;
    t.equal(copy.sources.length, 1);
    const [source] = copy.sources;
    const folder = inside(scratch, instructionOf(build, 'WORKDIR')!);
    copyContext(folder);
    rmSync(join(folder, 'bpf/objects'), { recursive: true, force: true });
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    followRuns(objects, folder);
    cpSync(inside(scratch, source!), inside(scratch, copy.target), { recursive: true });
    const files = ObjectFiles.open({ folder: inside(scratch, copy.target) });
    if (isFailure(files)) throw new Error(files.reason);
    t.ok(files.manifest.objects.size >= 4);
    for (const name of files.manifest.objects.keys()) t.notOk(isFailure(files.read(name)), name);
    const here = ObjectFiles.open({ folder: join(ROOT, 'bpf/objects') });
    t.equal(files.manifest.sources, isFailure(here) ? here.reason : here.manifest.sources);
    t.end();
  },
);

t.test('signed programs are not built anew', (t) => {
  const scratch = scratchFolder(t);
  mkdirSync(join(scratch, 'bpf/objects'), { recursive: true });
  // There is no build/ here: whatever is run fails.
  t.throws(() => followRuns(objects, scratch));
  writeFileSync(join(scratch, 'bpf/objects/manifest.json.sig'), '');
  t.doesNotThrow(() => followRuns(objects, scratch));
  t.end();
});

const cannotStart = rootProblem() ?? false;

t.test('the assembled tree starts read-only as uid 1337 and becomes ready', { skip: cannotStart }, async (t) => {
  const scratch = scratchFolder(t);
  followBuildStage(scratch);
  for (const { sources, target } of copiesOf(image).filter(({ from }) => from === 'build')) {
    for (const source of sources) cpSync(inside(scratch, source), inside(scratch, target), { recursive: true });
  }
  const [port] = (await freePorts(1)) as [number];
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

function scratchFolder(t: Test): string {
  const scratch = mkdtempSync(join(tmpdir(), 'outrigger-image-'));
  t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
  chmodSync(scratch, 0o755);
  return scratch;
}

function followBuildStage(scratch: string): void {
  const folder = inside(scratch, instructionOf(build, 'WORKDIR')!);
  copyContext(folder);
  followRuns(build, folder, join(scratch, 'image'));
}

function copyContext(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const { sources, target } of copiesOf(build)) {
    for (const source of sources) {
      const destination = target.endsWith(`/${source}`) ? join(folder, target) : join(folder, target, source);
      cpSync(join(ROOT, source), destination, { recursive: true });
    }
  }
}

function followRuns(stage: Stage, folder: string, imageFolder = '/image'): void {
  for (const { keyword, value } of stage.instructions) {
    if (keyword !== 'RUN' || value.startsWith('apt-get ')) continue;
    if (value.startsWith('npm ci')) installFromHere(folder);
    else run(value.replaceAll('/image', imageFolder), folder);
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

/** Asks again and again, as the kubelet does: a container tells nobody that it is ready. */
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

interface Copy {
  /** A stage; undefined for what is copied from the machine. */
  readonly from: string | undefined;
  readonly sources: readonly string[];
  readonly target: string;
}

function copiesOf(stage: Stage): Copy[] {
  return stage.instructions
    .filter(({ keyword }) => keyword === 'COPY')
    .map(({ value }) => {
      const words = value.split(/\s+/).filter((word) => !word.startsWith('--'));
      return { from: /--from=(\S+)/.exec(value)?.[1], sources: words.slice(0, -1), target: words.at(-1)! };
    });
}

function instructionOf(stage: Stage, keyword: string): string | undefined {
  return stage.instructions.find((instruction) => instruction.keyword === keyword)?.value;
}

/** Where the image's absolute path lies in the scratch directory. */
function inside(scratch: string, path: string): string {
  return join(scratch, path);
}
