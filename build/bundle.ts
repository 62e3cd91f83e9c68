// Makes dist/: the plain JavaScript that bin/outrigger runs. `npm ci` calls it through the `prepare` script.
//
// Stripping types at start costs 60 ms and 34 MB, and a hundred small files cost another 30 ms, so what is shipped is
// one file a thread or program, and one for what is loaded late. koffi's native library stays in its package.
// CommonJS rather than ES modules: whatever an ES module imports of Node, Node reads every export of, and reading those
// of `node:http` and `node:fs` loads fetch, HTTP/2, TLS and streams that nobody asked for. CPU from start to the first
// answer, least of 11, one worker on a busy machine: 243 ms before, 215 ms after, and 8 MB less resident.
// What V8 compiles of it is kept beside it (`compiled-code.ts`). Minified text starts no faster and makes stack traces
// useless.

import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';
import { bundledLicences } from './bundled-licences.ts';
import { compileWhole, keepCompiledCode, makeScript } from './compiled-code.ts';
import { LIBRARIES, lateEntries, lateLibraries, lazyBuiltins, nativeCalls } from './late-loading.ts';

/**
 * Name in dist/ → entry. The worker's entry is a thread of its own and cannot share a file with the main thread; the
 * control plane, the audit and the commands about redirection are programs of their own, and what they need must not be
 * read by every data plane at its start.
 */
const ENTRIES: ReadonlyMap<string, string> = new Map([
  ['outrigger', 'proxy/main.ts'],
  ['control-plane', 'control-plane/main.ts'],
  ['audit', 'proxy/audit/main.ts'],
  ['bpf', 'bpf/main.ts'],
  ['worker', 'proxy/worker/main.ts'],
  // Loaded by `import()` when redirection is asked for: no other start reads a byte of it.
  ['capture', 'proxy/command/capture-opening.ts'],
  // By workers whose connections may be in the short-circuit.
  ['shortcut-exit', 'proxy/reactor/shortcut-exit.ts'],
  // By `outrigger sidecar` alone.
  ['sidecar', 'proxy/command/sidecar.ts'],
]);

/** Of these V8's compiled code is kept: every start runs them. */
const THREADS: readonly string[] = ['outrigger', 'worker'];

/** And of these, which no build can run: it takes the right to load programs into the kernel. */
const PRIVILEGED: readonly string[] = ['capture'];

const SCRIPTS: readonly string[] = [...THREADS, ...PRIVILEGED];

// What `import.meta.url` is in an ES module.
const MODULE_URL = "const moduleUrl = require('node:url').pathToFileURL(__filename).href;";

const NOT_ASCII = /[^\t\r\n -~]/;
const COMMENT = /^\s*(\/\/|\/\*|\*)/;

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: join(import.meta.dirname, '..') },
    out: { type: 'string', default: join(import.meta.dirname, '../dist') },
  },
});

try {
  await bundle(resolve(values.source), resolve(values.out));
} catch (error) {
  console.error(`build/bundle.ts: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}

async function bundle(source: string, out: string): Promise<void> {
  const missing = [...ENTRIES.values()].filter((entry) => !existsSync(join(source, entry)));
  if (missing.length > 0) throw new Error(`entry file missing: ${missing.join(', ')}`);
  rmSync(out, { recursive: true, force: true });
  // Before a source is read: the age of this folder says which changes are in the bundle (test/support/program-file.ts).
  mkdirSync(out, { recursive: true });
  const entries = new Map([...ENTRIES].map(([name, entry]) => [join(source, entry), name]));
  const { metafile } = await build({
    entryPoints: {
      ...Object.fromEntries([...ENTRIES].map(([name, entry]) => [name, join(source, entry)])),
      ...Object.fromEntries(LIBRARIES),
    },
    outdir: out,
    // Paths in the text are relative to this: the same sources make the same bytes, wherever they lie.
    absWorkingDir: source,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // `import()` would load Node's loader of ES modules, and a script has none.
    supported: { 'dynamic-import': false },
    banner: { js: MODULE_URL },
    define: { 'import.meta.url': 'moduleUrl' },
    // They are in a file of their own.
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    plugins: [relativeUrls(source, out), lateEntries(entries), lazyBuiltins(), lateLibraries(), nativeCalls()],
  });
  writeFileSync(join(out, 'THIRD-PARTY-LICENSES'), bundledLicences(metafile, source));
  for (const name of [...ENTRIES.keys(), ...LIBRARIES.keys()]) makeAscii(join(out, `${name}.cjs`));
  for (const name of SCRIPTS) makeScript(out, name);
  for (const name of PRIVILEGED) compileWhole(out, name);
  await keepCompiledCode(out);
  for (const name of [...ENTRIES.keys(), ...LIBRARIES.keys()]) {
    const file = join(out, `${name}.${SCRIPTS.includes(name) ? 'js' : 'cjs'}`);
    console.log(`${relative(source, file)} ${Math.round(statSync(file).size / 1024)} KiB`);
  }
}

/**
 * One character beyond Latin-1 makes V8 hold the whole text in two bytes each, in every thread, and convert it twice at
 * start. The bundler escapes such characters in code; what is left of them is in comments.
 */
function makeAscii(file: string): void {
  const lines = readFileSync(file, 'utf8').split('\n');
  const ascii = lines.map((line) => {
    if (!NOT_ASCII.test(line)) return line;
    if (!COMMENT.test(line)) throw new Error(`${basename(file)} has code that is not ASCII: ${line}`);
    return line.replaceAll(new RegExp(NOT_ASCII, 'g'), '?');
  });
  writeFileSync(file, ascii.join('\n'));
}

/**
 * `new URL('./x', import.meta.url)` in our sources names a file beside the source: an entry becomes the file made of
 * it, anything else (a page, a BPF object) is copied into dist/. So the sources need not know that they are bundled.
 */
function relativeUrls(source: string, out: string): Plugin {
  const copied = new Map<string, string>();
  const place = (importer: string, url: string): string => {
    const path = resolve(dirname(importer), url);
    for (const [name, entry] of ENTRIES) if (path === join(source, entry)) return `./${name}.cjs`;
    if (path.endsWith('.ts')) throw new Error(`${relative(source, importer)}: ${url} is not an entry of the bundle`);
    const name = basename(path);
    if ((copied.get(name) ?? path) !== path) throw new Error(`two files named ${name} would meet in dist/`);
    copied.set(name, path);
    cpSync(path, join(out, name), { recursive: true });
    return `./${name}`;
  };
  return {
    name: 'relative urls',
    setup(build) {
      build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        if (path.includes('/node_modules/')) return undefined;
        const text = readFileSync(path, 'utf8');
        const contents = text.replaceAll(
          /new URL\('(\.[^']+)', import\.meta\.url\)/g,
          (_, url: string) => `new URL('${place(path, url)}', import.meta.url)`,
        );
        return { contents, loader: 'ts' };
      });
    },
  };
}
