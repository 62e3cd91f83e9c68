import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Script } from 'node:vm';
import t, { type Test } from 'tap';

const ROOT = join(import.meta.dirname, '../..');

// As small as a program can be that has what ours has: a worker, a native library, a bundled CommonJS library that
// requires Node's own modules, a file read from beside the source, and, when it is to serve, a listener.
const MAIN = `
import koffi from 'koffi';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Worker } from 'node:worker_threads';
import pino from 'pino';
const page: string = readFileSync(new URL('./admin/page.html', import.meta.url), 'utf8');
pino({ level: 'silent' });
process.on('SIGTERM', () => process.exit(0));
const worker = new Worker(new URL('./worker/main.ts', import.meta.url));
class Reply {
  /** Comments within classes stay in the bundle … */
  readonly text = '…';
}
if (new Reply().text.charCodeAt(0) !== 0x2026) throw new Error('text was changed');
const isNative = koffi.load(null).func('int getpid()')() === process.pid;
worker.once('message', (text: string) => {
  console.log(text, page, isNative);
  if (process.argv.includes('--config-yaml')) serve();
});
function serve() {
  const listener = createServer((_, response) => response.end());
  listener.listen(0, '127.0.0.1', () => console.log('http 127.0.0.1:' + listener.address().port));
}
`;
const PROGRAM = {
  proxy: {
    'main.ts': MAIN,
    worker: {
      'main.ts': "import { parentPort } from 'node:worker_threads';\nparentPort!.postMessage('worker' as string);\n",
    },
    audit: { 'main.ts': '' },
    command: { 'capture-opening.ts': '', 'sidecar.ts': '' },
    reactor: { 'shortcut-exit.ts': '' },
    admin: { 'page.html': '<page>' },
  },
  'control-plane': { 'main.ts': "console.log('control plane' as string);\n" },
  bpf: { 'main.ts': '' },
};

t.test('the bundle runs without its sources and finds its worker, its files and its native library', (t) => {
  const tree = treeOf(t, PROGRAM);
  const built = bundle(tree);
  t.equal(built.status, 0, built.stderr);
  cpSync(join(tree, 'dist'), join(tree, 'elsewhere'), { recursive: true });
  const run = spawnSync(process.execPath, [join(tree, 'elsewhere/outrigger.cjs')], { encoding: 'utf8' });
  t.equal(run.stdout, 'worker <page> true\n', run.stderr);
  const text = readFileSync(join(tree, 'dist/outrigger.js'), 'utf8');
  t.notMatch(text, /sourceMappingURL|: string =/);
  t.match(text, /^[\t\r\n -~]+$/, 'ASCII only');
  t.match(text, 'Comments within classes stay');
  t.end();
});

t.test('what few starts need is imported as anything else, and loaded when something of it is used', (t) => {
  const text = `
import { randomFillSync } from 'node:crypto';
import { load } from 'js-yaml';
const isLoaded = () => process.moduleLoadList.includes('NativeModule crypto');
const isRead = () => Object.keys(require.cache).some((path) => path.endsWith('js-yaml.cjs'));
console.log(isLoaded(), isRead());
randomFillSync(new Uint8Array(1));
console.log(isLoaded(), load('a: 1').a, isRead());
`;
  const tree = treeOf(t, withMain(text));
  bundle(tree);
  const run = spawnSync(process.execPath, [join(tree, 'dist/outrigger.cjs')], { encoding: 'utf8' });
  t.equal(run.stdout, 'false false\ntrue 1 true\n', run.stderr);
  t.end();
});

t.test('what is imported late is a file of its own, read when it is asked for', (t) => {
  const tree = treeOf(t, withMain("console.log('early'); void import('./command/capture-opening.ts');"));
  bundle(tree);
  t.notMatch(readFileSync(join(tree, 'dist/outrigger.js'), 'utf8'), /['"]late['"]/);
  const run = spawnSync(process.execPath, [join(tree, 'dist/outrigger.cjs')], { encoding: 'utf8' });
  t.equal(run.stdout, 'early\nlate\n', run.stderr);
  t.end();
});

t.test('a library that is imported late is a file of its own, read when it is asked for', (t) => {
  const text = `
const isRead = () => Object.keys(require.cache).some((path) => path.endsWith('undici-client.cjs'));
const before = isRead();
void import('undici/lib/dispatcher/client.js').then(({ default: Client }) => console.log(before, isRead(), Client.name));
`;
  const tree = treeOf(t, withMain(text));
  bundle(tree);
  const run = spawnSync(process.execPath, [join(tree, 'dist/outrigger.cjs')], { encoding: 'utf8' });
  t.equal(run.stdout, 'false true Client\n', run.stderr);
  t.end();
});

t.test('foreign calls are loaded without their package searching for them, and by it where that fails', (t) => {
  const text = `
import koffi from 'koffi';
const searched = Object.keys(require.cache).some((path) => path.includes('/node_modules/koffi/'));
console.log(koffi.load(null).func('int getpid()')() === process.pid, searched);
`;
  const tree = treeOf(t, withMain(text));
  bundle(tree);
  const program = join(tree, 'dist/outrigger.cjs');
  t.equal(spawnSync(process.execPath, [program], { encoding: 'utf8' }).stdout, 'true false\n');
  rmSync(join(tree, 'node_modules'));
  const machine = `${process.platform}-${process.arch}`;
  const folder = join(tree, `node_modules/@koromix/koffi-${machine}/${machine.replace('-', '_')}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'koffi.node'), 'of another C library');
  symlinkSync(join(ROOT, 'node_modules/koffi'), join(tree, 'node_modules/koffi'));
  t.equal(spawnSync(process.execPath, [program], { encoding: 'utf8' }).stdout, 'true true\n');
  t.end();
});

t.test('each thread finds the compiled code of the functions that have run', (t) => {
  const tree = treeOf(t, PROGRAM);
  bundle(tree);
  const filename = join(tree, 'dist/outrigger.js');
  const text = readFileSync(filename, 'latin1');
  const script = new Script(text, { filename, cachedData: readFileSync(compiledOf(tree, 'outrigger')) });
  t.equal(script.cachedDataRejected, false);
  t.ok(existsSync(compiledOf(tree, 'worker')));
  // Of another name, because V8 remembers what it has compiled.
  const uncalled = new Script(text, { filename: 'uncalled.js' }).createCachedData();
  t.ok(readFileSync(compiledOf(tree, 'outrigger')).length > uncalled.length, 'more than V8 compiles of its own accord');
  const run = () => spawnSync(process.execPath, [join(tree, 'dist/outrigger.cjs')], { encoding: 'utf8' }).stdout;
  writeFileSync(compiledOf(tree, 'outrigger'), 'damaged');
  t.equal(run(), 'worker <page> true\n', 'V8 refuses it');
  rmSync(compiledOf(tree, 'outrigger'));
  t.equal(run(), 'worker <page> true\n', 'there is none');
  t.end();
});

t.test('a start so slow that it collects its garbage is built, and its code is for V8 as it starts', (t) => {
  const collecting = `import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
function collect() {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}
${MAIN.replace('serve();', '{ collect(); serve(); }')}`;
  const tree = treeOf(t, { ...PROGRAM, proxy: { ...PROGRAM.proxy, 'main.ts': collecting } });
  const { status, stderr } = bundle(tree);
  t.equal(status, 0, stderr);
  const filename = join(tree, 'dist/outrigger.js');
  const cachedData = readFileSync(compiledOf(tree, 'outrigger'));
  t.equal(new Script(readFileSync(filename, 'latin1'), { filename, cachedData }).cachedDataRejected, false);
  t.end();
});

t.test('what no build can run is compiled as a whole', (t) => {
  const tree = treeOf(t, withMain("import('./command/capture-opening.ts').then(() => console.log('opened'));"));
  bundle(tree);
  const filename = join(tree, 'dist/capture.js');
  const text = readFileSync(filename, 'latin1');
  const script = new Script(text, { filename, cachedData: readFileSync(compiledOf(tree, 'capture')) });
  t.equal(script.cachedDataRejected, false);
  const uncalled = new Script(text, { filename: 'uncalled.js' }).createCachedData();
  t.ok(readFileSync(compiledOf(tree, 'capture')).length > uncalled.length, 'more than V8 compiles of its own accord');
  const run = () => spawnSync(process.execPath, [join(tree, 'dist/outrigger.cjs')], { encoding: 'utf8' }).stdout;
  t.equal(run(), 'late\nopened\n');
  writeFileSync(compiledOf(tree, 'capture'), 'damaged');
  t.equal(run(), 'late\nopened\n', 'V8 refuses it');
  t.end();
});

t.test('the same sources make the same bytes, wherever they lie', (t) => {
  const root = treeOf(t, { first: PROGRAM, second: structuredClone(PROGRAM) });
  const [first, second] = [join(root, 'first'), join(root, 'second')];
  bundle(first);
  bundle(second);
  for (const file of ['outrigger.cjs', 'outrigger.js', 'worker.js']) {
    t.ok(readFileSync(join(first, 'dist', file)).equals(readFileSync(join(second, 'dist', file))), file);
  }
  t.end();
});

const REFUSALS: readonly { name: string; tree: Tree; says: RegExp }[] = [
  {
    name: 'a missing entry',
    tree: { proxy: { 'main.ts': '' } },
    says: /entry file missing: .*proxy\/worker\/main\.ts/,
  },
  { name: 'an import that does not exist', tree: withMain("import './absent.ts';"), says: /absent\.ts/ },
  {
    name: 'a worker that is no entry of the bundle',
    tree: withMain("new URL('./other.ts', import.meta.url);"),
    says: /other\.ts is not an entry of the bundle/,
  },
  {
    name: 'a bundle that does not start',
    tree: withMain("throw new Error('dead');"),
    says: /does not start[\s\S]*dead/,
  },
];

for (const { name, tree, says } of REFUSALS) {
  t.test(`${name} fails the build and says so`, (t) => {
    const built = bundle(treeOf(t, tree));
    t.equal(built.status, 1);
    t.match(built.stderr, says);
    t.end();
  });
}

t.test('a failed build leaves no older bundle to be run by mistake', (t) => {
  const tree = treeOf(t, { ...withMain("import './absent.ts';"), dist: { 'outrigger.cjs': 'old' } });
  bundle(tree);
  t.notOk(existsSync(join(tree, 'dist/outrigger.cjs')));
  t.end();
});

interface Tree {
  readonly [name: string]: string | Tree;
}

function withMain(text: string): Tree {
  const command = { 'capture-opening.ts': "console.log('late' as string);\n", 'sidecar.ts': '' };
  const parts = { audit: { 'main.ts': '' }, reactor: { 'shortcut-exit.ts': '' }, worker: { 'main.ts': '' } };
  const proxy = { 'main.ts': text, command, ...parts };
  return { proxy, 'control-plane': { 'main.ts': '' }, bpf: { 'main.ts': '' } };
}

function compiledOf(tree: string, thread: string): string {
  return join(tree, `dist/${thread}.${process.arch}.compiled`);
}

function treeOf(t: Test, tree: Tree): string {
  const folder = t.testdir(tree as Parameters<Test['testdir']>[0]);
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

function bundle(tree: string) {
  const args = [join(ROOT, 'build/bundle.ts'), '--source', tree, '--out', join(tree, 'dist')];
  return spawnSync(process.execPath, args, { encoding: 'utf8' });
}
