// Makes dist/: the plain JavaScript that bin/outrigger runs. `npm ci` calls it through the `prepare` script.
//
// Stripping types at start costs 60 ms and 34 MB, and a hundred small files cost another 30 ms, so what is shipped is
// one file a thread or program, and one for what is loaded late. koffi stays outside because its native library is found
// beside its own package.json.
// CommonJS rather than ES modules: whatever an ES module imports of Node, Node reads every export of, and reading those
// of `node:http` and `node:fs` loads fetch, HTTP/2, TLS and streams that nobody asked for. CPU from start to the first
// answer, least of 11, one worker on a busy machine: 243 ms before, 215 ms after, and 8 MB less resident.
// Those of Node's modules that no start needs are loaded when something of them is first used.
// dist/cache holds V8's compiled code. Median start of 25, 0.8 MB and one thread: 100 ms with it, 119 ms without; with a
// worker it saves 35 ms of CPU. Minified text starts no faster and makes stack traces useless.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { build, type Plugin } from 'esbuild';

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

/**
 * Name in dist/ → package that is loaded when it is first used: the data plane starts without it, and both programs share
 * the one file.
 */
const LIBRARIES: ReadonlyMap<string, string> = new Map([
  ['grpc-js', '@grpc/grpc-js'],
  ['otlp-settings', '@opentelemetry/otlp-exporter-base/node-http'],
  ['otel-resources', '@opentelemetry/resources'],
  ['undici-client', 'undici/lib/dispatcher/client.js'],
]);

// What `import.meta.url` is in an ES module.
const MODULE_URL = "const moduleUrl = require('node:url').pathToFileURL(__filename).href;";

/**
 * HTTP is for the admin interface, files are for logs, DNS is for clusters that name hosts, chance is for request ids,
 * sockets and streams of Node's are for the second engine.
 */
const LAZY = [
  'node:crypto',
  'node:dns/promises',
  'node:fs/promises',
  'node:http',
  'node:net',
  'node:stream',
  'node:timers/promises',
  'node:zlib',
];

const START_WITHIN_MS = 30_000;

const LAZY_NAMESPACE = 'lazy-builtin';

const NOT_ASCII = /[^\t\r\n -~]/;
const COMMENT = /^\s*(\/\/|\/\*|\*)/;

const LOOPBACK = '127.0.0.1';
const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';
/** In the log, when the listener of `smallBootstrap` is served. */
const SERVED = /http (127\.0\.0\.1:\d+)/;

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
    external: ['koffi'],
    banner: { js: MODULE_URL },
    define: { 'import.meta.url': 'moduleUrl' },
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [relativeUrls(source, out), lateEntries(source), lazyBuiltins(), sharedLibraries()],
  });
  for (const name of [...ENTRIES.keys(), ...LIBRARIES.keys()]) makeAscii(join(out, `${name}.cjs`));
  await fillCache(out);
  for (const name of [...ENTRIES.keys(), ...LIBRARIES.keys()]) {
    const file = join(out, `${name}.cjs`);
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

/** An `import()` of an entry is one of its file in dist/. */
function lateEntries(source: string): Plugin {
  const files = new Map([...ENTRIES].map(([name, entry]) => [join(source, entry), `./${name}.cjs`]));
  return {
    name: 'late entries',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
        const file = kind === 'dynamic-import' ? files.get(resolve(resolveDir, path)) : undefined;
        return file === undefined ? undefined : { path: file, external: true };
      });
    },
  };
}

/** A module of getters stands for each of `LAZY`; the bundler reads a property of a module where a name is used. */
function lazyBuiltins(): Plugin {
  return {
    name: 'lazy builtins',
    setup(build) {
      build.onResolve({ filter: /^node:/ }, ({ path, namespace }) => {
        const isLazy = LAZY.includes(path) && namespace !== LAZY_NAMESPACE;
        return isLazy ? { path, namespace: LAZY_NAMESPACE } : { path, external: true };
      });
      build.onLoad({ filter: /^node:/, namespace: LAZY_NAMESPACE }, async ({ path }) => {
        const names = Object.keys(await import(path)).filter((name) => name !== 'default');
        const getters = names.map((name) => `get ${name}() { return load().${name}; },`);
        // Node looks a module up by its name anew at each `require`: 5 us, and a handshake of TLS had ten of them.
        const load = `let loaded;\nconst load = () => (loaded ??= require('${path}'));\n`;
        return { contents: `${load}module.exports = {\n${getters.join('\n')}\n};\n`, loader: 'js' };
      });
    },
  };
}

/** An import of a library is one of its file in dist/. */
function sharedLibraries(): Plugin {
  const files = new Map([...LIBRARIES].map(([name, library]) => [library, `./${name}.cjs`]));
  return {
    name: 'shared libraries',
    setup(build) {
      build.onResolve({ filter: /^(@|undici\/)/ }, ({ path, kind }) =>
        kind === 'entry-point' || !files.has(path) ? undefined : { path: files.get(path)!, external: true },
      );
    },
  };
}

/**
 * Runs the bundle until it has answered one request: proof that both threads start, and V8's compiled code of every
 * function that a start needs is left behind. Functions that did not run would be compiled at each start.
 */
async function fillCache(out: string): Promise<void> {
  const endpoint = createServer((_, response) => response.end()).listen(0, LOOPBACK);
  await once(endpoint, 'listening');
  const bootstrap = JSON.stringify(smallBootstrap((endpoint.address() as AddressInfo).port));
  const env = { ...process.env, NODE_COMPILE_CACHE: join(out, 'cache'), NODE_COMPILE_CACHE_PORTABLE: '1' };
  // No flags of V8: the cache is for those it was made with, and sizes of the heap (bin/outrigger) are not among them.
  const args = [join(out, 'outrigger.cjs'), '--config-yaml', bootstrap, '--concurrency', '1', '--drain-time-s', '1'];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: START_WITHIN_MS });
  let text = '';
  let hasAsked = false;
  const onText = (chunk: Buffer) => {
    text += chunk;
    const address = SERVED.exec(text)?.[1];
    if (hasAsked || address === undefined) return;
    hasAsked = true;
    void askOnce(address).then((status) => {
      if (status !== 200) text += `${address} answered ${status}`;
      child.kill(status === 200 ? 'SIGTERM' : 'SIGKILL');
    });
  };
  child.stdout.on('data', onText);
  child.stderr.on('data', onText);
  const [exitCode, signal] = await once(child, 'close');
  endpoint.close();
  if (exitCode !== 0 || !hasAsked) throw new Error(`the bundle does not start (${exitCode ?? signal}): ${text}`);
}

/** The status of the answer; of no answer, why. */
function askOnce(address: string): Promise<number | string> {
  return new Promise((answered) => {
    get(`http://${address}/`, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => answered(response.statusCode!));
    }).once('error', (error) => answered(error.message));
  });
}

function smallBootstrap(endpointPort: number): object {
  const address = (port: number) => ({ socket_address: { address: LOOPBACK, port_value: port } });
  const manager = {
    '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'service' } }] },
      ],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': `${EXTENSIONS}.http.router.v3.Router` } }],
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(endpointPort) } }] }];
  return {
    admin: { address: address(0) },
    static_resources: {
      listeners: [
        { name: 'http', address: address(0), filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] },
      ],
      clusters: [{ name: 'service', load_assignment: { cluster_name: 'service', endpoints } }],
    },
  };
}
