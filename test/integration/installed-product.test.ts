// What npm puts into somebody's folder is less than what is here: the files that package.json names, and the packages that
// they load. Everything has to run from these.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import t, { type Test } from 'tap';
import { demoBootstrap } from '../../demo/bootstrap.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { clusterAt, httpFilterChain, socketAddress } from '../support/sidecar.ts';

const ROOT = join(import.meta.dirname, '../..');
// Each test starts processes, which takes seconds on a busy machine.
t.setTimeout(900_000);

const manifest: { files: string[]; version: string } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const locked: Record<string, { dev?: boolean }> = JSON.parse(
  readFileSync(join(ROOT, 'package-lock.json'), 'utf8'),
).packages;

/** Outside of the repository, whose packages would be found from below it. */
const folder = mkdtempSync(join(tmpdir(), 'outrigger-installed-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const product = join(folder, 'node_modules/outrigger');
for (const name of ['package.json', ...manifest.files]) {
  if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(product, name), { recursive: true });
}
for (const [path, { dev }] of Object.entries(locked)) {
  if (path === '' || dev || !existsSync(join(ROOT, path))) continue;
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  symlinkSync(join(ROOT, path), join(folder, path));
}
const command = join(product, 'bin/outrigger');

t.test('it has its licence, and those of what it carries', (t) => {
  for (const name of ['LICENSE', 'dist/THIRD-PARTY-LICENSES']) t.ok(existsSync(join(product, name)), name);
  t.end();
});

for (const [args, output] of [
  [['--version'], new RegExp(`^outrigger ${manifest.version.replaceAll('.', '\\.')}`)],
  [['control-plane', '--help'], /--dir/],
  [['audit', '--help'], /audit/],
  [['bpf', '--help'], /status/],
  [['iptables', '--help'], /iptables/],
] as const) {
  t.test(`outrigger ${args.join(' ')}`, (t) => {
    const { stdout, stderr, status } = spawnSync(command, args, { encoding: 'utf8', cwd: folder });
    t.match(stdout, output);
    t.equal(stderr, '');
    t.equal(status, 0);
    t.end();
  });
}

t.test('a bootstrap is checked, and a request forwarded', async (t) => {
  const bootstrap = writeBootstrap(await startNamedOrigin(t, 'behind'));
  const checked = spawnSync(command, ['-c', bootstrap, '--mode', 'validate'], { encoding: 'utf8' });
  t.equal(checked.status, 0, checked.stderr);
  const sidecar = start(t, ['-c', bootstrap, '--concurrency', '1', '--drain-time-s', '1', '--no-config-cache']);
  const url = await printed(sidecar, /http (127\.0\.0\.1:\d+)/);
  t.equal(await (await fetch(`http://${url}/`)).text(), 'behind');
  sidecar.kill('SIGTERM');
  t.same(await once(sidecar, 'exit'), [0, null]);
});

t.test('a folder is served to one that follows it', async (t) => {
  const resources = join(folder, 'resources');
  mkdirSync(resources);
  const port = await startNamedOrigin(t, 'behind');
  const service = `service: shop\nlisten: 127.0.0.1:0\nendpoints: ["127.0.0.1:${port}"]\nroutes: [{to: shop}]\n`;
  writeFileSync(join(resources, 'shop.yaml'), service);
  const controlPlane = start(t, ['control-plane', '--dir', resources, '--listen', '127.0.0.1:0']);
  const address = await printed(controlPlane, /serves .* on (127\.0\.0\.1:\d+)/);
  const bootstrap = join(folder, 'dynamic.json');
  writeFileSync(bootstrap, demoBootstrap({ adminPort: 0, controlPlanePort: Number(address.split(':')[1]) }));
  const sidecar = start(t, ['-c', bootstrap, '--concurrency', '1', '--no-config-cache']);
  const url = await printed(sidecar, /shop (127\.0\.0\.1:\d+)/);
  t.equal(await (await fetch(`http://${url}/`)).text(), 'behind');
});

function writeBootstrap(originPort: number): string {
  const path = join(folder, 'bootstrap.json');
  const listener = { name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('/')] };
  const admin = { address: socketAddress(0) };
  const resources = { listeners: [listener], clusters: [clusterAt('/', originPort)] };
  writeFileSync(path, JSON.stringify({ admin, static_resources: resources }));
  return path;
}

function start(t: Test, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** The first group of `line`, in what the process prints. */
async function printed(child: ChildProcess, line: RegExp): Promise<string> {
  const lines: string[] = [];
  const found = Promise.withResolvers<string>();
  for (const input of [child.stdout!, child.stderr!]) {
    createInterface({ input }).on('line', (text) => {
      lines.push(text);
      const match = line.exec(text);
      if (match !== null) found.resolve(match[1]!);
    });
  }
  child.once('exit', (code) => found.reject(new Error(`ended with ${code}: ${lines.join('\n')}`)));
  return found.promise;
}
