import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { bpfSkipReason, temporaryBpffs, temporaryCgroup } from '../support/bpf-environment.ts';
import { shortPath } from '../support/node-agent.ts';
import { programFile } from '../support/program-file.ts';

const root = join(import.meta.dirname, '../..');
const main = programFile('bpf/main.ts');
// Each command is a process of its own, which takes a second on a busy machine.
t.setTimeout(900_000);

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'bpffs') ?? false;

t.test('help and wrong command lines need nothing of the machine', (t) => {
  t.match(bpf('--help'), { status: 0, stdout: /doctor/ });
  t.match(bpf('swap', '--help'), { status: 0, stdout: /^outrigger bpf swap: / });
  t.match(bpf('status', '--all'), {
    status: 2,
    stderr: /does not know --all: it takes --name.*\noutrigger bpf status --help/,
  });
  t.end();
});

t.test(
  'rules are said by flags, the environment and annotations, and what is wrong with them is told by its source',
  (t) => {
    const annotations = join(
      t.testdir({ annotations: 'traffic.sidecar.istio.io/excludeOutboundPorts="5432"\n', broken: 'a=b' }),
      'annotations',
    );
    const apply = ['iptables', 'apply', '--dry-run', '--annotations', annotations];
    t.match(bpf(...apply), { status: 0, stdout: '-A OUTRIGGER_OUTPUT -p tcp --dport 5432:5432 -j RETURN' });
    const env = { ...process.env, ISTIO_SERVICE_EXCLUDE_CIDR: '10.0.0.0/8' };
    const said = spawnSync(process.execPath, [main, ...apply, '--', '-p', '16001'], { encoding: 'utf8', env });
    t.match(said.stdout, /5432:5432.*-d 10\.0\.0\.0\/8 -p tcp -j RETURN.*--to-ports 16001/s);
    t.match(bpf(...apply, '--', '-p', '0'), { status: 1, stderr: /^outrigger iptables: .*\n {2}-p: must be a port/ });
    t.match(bpf('iptables', 'apply', '--dry-run', '--annotations', `${annotations}x`), { status: 1, stderr: /ENOENT/ });
    const broken = annotations.replace(/annotations$/, 'broken');
    t.match(bpf('iptables', 'apply', '--annotations', broken), { status: 1, stderr: /line 1 is not key="value"/ });
    t.match(bpf('iptables', 'aply'), { status: 2, stderr: /there are apply, clean, show\noutrigger iptables --help/ });
    t.match(bpf('iptables', '--help'), { status: 0, stdout: /^outrigger iptables COMMAND/ });
    t.end();
  },
);

t.test('settings that cannot be used are told with their paths', (t) => {
  const file = join(t.testdir({ 'settings.yaml': 'capture: { outbound: { port: 0 } }' }), 'settings.yaml');
  const folder = '/nowhere';
  const load = ['load', '--name', 'a', '--cgroup', folder];
  if (skip === false) {
    t.match(bpf(...load, '--settings', file), { status: 1, stderr: /capture\.outbound\.port: must be a port/ });
    t.match(bpf(...load, '--', '-m', 'TPROXY'), { status: 1, stderr: /REDIRECT/ });
    t.match(bpf(...load, '--settings', `${file}x`), { status: 1, stderr: /ENOENT/ });
  }
  t.end();
});

t.test('what is loaded is listed, swapped, audited and unloaded', { skip }, (t) => {
  const bpffs = temporaryBpffs(t);
  const cgroup = temporaryCgroup(t, 'command');
  const at = ['--bpffs', bpffs];
  const load = ['load', '--name', 'shop', '--cgroup', cgroup, ...at];
  t.match(bpf(...load, '--', '-x', '10.0.0.0/8'), { status: 0, stdout: /go to port 15001, policy closed/ });
  t.match(bpf(...load), { status: 1, stderr: /is a redirection shop already; .*swap.*unload/ });
  const before = JSON.parse(bpf('status', '--name', 'shop', '--json', ...at).stdout);
  t.same(before.programs.map(({ name }: { name: string }) => name).toSorted(), [
    'or_connect4',
    'or_connect6',
    'or_peer4',
    'or_peer6',
    'or_sockops',
  ]);
  t.ok(before.links.every(({ place }: { place: string }) => place === cgroup));
  t.match(bpf('swap', '--name', 'shop', ...at), { status: 0, stdout: /5 programs replaced/ });
  const after = JSON.parse(bpf('status', '--name', 'shop', '--json', ...at).stdout);
  t.same(ids(after.links), ids(before.links), 'the links are the same');
  t.notSame(ids(after.programs), ids(before.programs), 'the programs are new');
  t.match(bpf('status', '--name', 'shop', ...at).stdout, `Redirection shop, pinned\n`);
  t.match(bpf('unload', '--name', 'shop', ...at), { status: 0 });
  t.match(bpf('unload', '--name', 'shop', ...at), {
    status: 1,
    stderr: /there is no redirection shop; name one that is: there is none/,
  });
  t.match(bpf('status', '--name', 'shop', ...at), { status: 1, stderr: /nothing is attached as shop/ });
  t.end();
});

t.test('an object that is not the released one is not loaded, and audited as such', { skip }, (t) => {
  const objects = join(t.testdir({}), 'objects');
  cpSync(join(root, 'bpf/objects'), objects, { recursive: true });
  writeFileSync(join(objects, 'outbound.bpf.o'), 'something else');
  const bpffs = temporaryBpffs(t);
  const at = ['--bpffs', bpffs, '--objects', objects];
  const cgroup = temporaryCgroup(t, 'forged');
  const load = bpf('load', '--name', 'a', '--cgroup', cgroup, ...at);
  t.match(load, { status: 1, stderr: /outbound\.bpf\.o is not the released object: its sha256 is/ });
  t.match(bpf('--audit', ...at), { status: 1, stderr: /NOT AS RELEASED\n +\S*outbound\.bpf\.o\s+is not the/ });
  t.match(bpf('--audit', '--json', ...at), { status: 1, stdout: /"findings": \[\n +".*is not the released/ });
  t.end();
});

t.test('events are printed as they come', { skip }, async (t) => {
  const cgroup = temporaryCgroup(t, 'events');
  const child = spawn(process.execPath, [main, 'events', '--cgroup', cgroup, '--count', '1', '--json']);
  let text = '';
  child.stdout.on('data', (bytes) => {
    text += bytes;
  });
  const ended = once(child, 'close');
  // Whether it is attached yet cannot be seen, so connections are made until one is told.
  const connects = `echo $$ > ${cgroup}/cgroup.procs; exec ${process.execPath} -e '
    const again = () => require("node:net").connect(1, "127.0.0.1").on("error", () => setTimeout(again, 20)); again();'`;
  const client = spawn('sh', ['-c', connects]);
  t.same(await ended, [0, null]);
  client.kill('SIGKILL');
  await once(client, 'close');
  const [first] = text.split('\n');
  t.match(JSON.parse(first!), { kind: 'connect-failed', remote: '127.0.0.1', remotePort: 1 });
});

t.test('an agent serves until it is told to end', { skip }, async (t) => {
  const socket = shortPath(t);
  const child = spawn(process.execPath, [main, 'agent', '--socket', socket, '--bpffs', temporaryBpffs(t), '--json']);
  const [line] = await once(child.stdout, 'data');
  t.match(String(line), '"event":"serving"');
  t.match(bpf('agent', '--socket', socket, '--is-ready'), { status: 0, stdout: /serves/ });
  const ended = once(child, 'close');
  child.kill('SIGTERM');
  t.same(await ended, [0, null]);
  t.match(bpf('agent', '--socket', socket, '--is-ready'), { status: 1, stderr: /cannot be reached/ });
});

function bpf(...args: readonly string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}

function ids(entries: readonly { readonly id: number }[]): readonly number[] {
  return entries.map(({ id }) => id).toSorted((a, b) => a - b);
}
