// Makes dist/: the plain JavaScript that bin/outrigger runs. `npm ci` calls it through the `prepare` script.
//
// Stripping types at start costs 60 ms and 34 MB, and a hundred small files cost another 30 ms, so what is shipped is
// one file a thread. koffi stays outside because its native library is found beside its own package.json.
// ES modules rather than CommonJS: both start equally fast (117 ms and 114 ms, medians of 25, 0.8 MB bundle), and
// `import.meta.url` keeps its meaning.
// dist/cache holds V8's compiled code. Median start of 25, 0.8 MB and one thread: 100 ms with it, 119 ms without; with a
// worker it saves 35 ms of CPU. Minified text starts no faster and makes stack traces useless.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';

/** Name in dist/ → entry. The worker's entry is a thread of its own and cannot share a file with the main thread. */
const ENTRIES: ReadonlyMap<string, string> = new Map([
  ['outrigger', 'proxy/main.ts'],
  ['worker', 'proxy/worker/main.ts'],
]);

// Bundled CommonJS packages call `require` for Node's own modules.
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

const START_WITHIN_MS = 30_000;

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
  await build({
    entryPoints: Object.fromEntries([...ENTRIES].map(([name, entry]) => [name, join(source, entry)])),
    outdir: out,
    // Paths in the text are relative to this: the same sources make the same bytes, wherever they lie.
    absWorkingDir: source,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    external: ['koffi'],
    banner: { js: REQUIRE },
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [relativeUrls(source, out)],
  });
  await fillCache(out);
  for (const name of ENTRIES.keys()) {
    const file = join(out, `${name}.mjs`);
    console.log(`${relative(source, file)} ${Math.round(statSync(file).size / 1024)} KiB`);
  }
}

/**
 * `new URL('./x', import.meta.url)` in our sources names a file beside the source: an entry becomes the file made of
 * it, anything else (a page, a BPF object) is copied into dist/. So the sources need not know that they are bundled.
 */
function relativeUrls(source: string, out: string): Plugin {
  const copied = new Map<string, string>();
  const place = (importer: string, url: string): string => {
    const path = resolve(dirname(importer), url);
    for (const [name, entry] of ENTRIES) if (path === join(source, entry)) return `./${name}.mjs`;
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

/** Serves nothing for a moment: proof that both threads start, and V8's compiled code of both is left behind. */
async function fillCache(out: string): Promise<void> {
  const env = { ...process.env, NODE_COMPILE_CACHE: join(out, 'cache'), NODE_COMPILE_CACHE_PORTABLE: '1' };
  const args = [join(out, 'outrigger.mjs'), '--config-yaml', '{}', '--concurrency', '1', '--drain-time-s', '1'];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: START_WITHIN_MS });
  const lines: string[] = [];
  // Its first line of log says that the configuration is served.
  const onText = (chunk: Buffer) => {
    lines.push(chunk.toString());
    child.kill('SIGTERM');
  };
  child.stdout.on('data', onText);
  child.stderr.on('data', onText);
  const [exitCode, signal] = await once(child, 'close');
  if (exitCode !== 0) throw new Error(`the bundle does not start (${exitCode ?? signal}): ${lines.join('')}`);
}
