// What a bundle does not load at its start: those of Node's modules and of the libraries that most starts do not need, and
// entries that are imported late. The sources import them as anything else.
//
// CPU of loading each, in ms, with V8's compiled code at hand: re2js 7, node:tls 5, js-yaml 4; and koffi 10 through its own
// search for its binary, 1 without (least of 15, in each of two threads). All four were loaded at every start.

import { resolve } from 'node:path';
import type { Plugin, PluginBuild } from 'esbuild';

/**
 * Name in dist/ → package that is loaded when it is first used: the data plane starts without it, and all programs share
 * the one file.
 */
export const LIBRARIES: ReadonlyMap<string, string> = new Map([
  ['grpc-js', '@grpc/grpc-js'],
  ['js-yaml', 'js-yaml'],
  ['otlp-settings', '@opentelemetry/otlp-exporter-base/node-http'],
  ['otel-resources', '@opentelemetry/resources'],
  ['re2js', 're2js'],
  ['undici-client', 'undici/lib/dispatcher/client.js'],
]);

/**
 * HTTP is for the admin interface, files are for logs, DNS is for clusters that name hosts, chance is for request ids,
 * sockets and streams of Node's are for the second engine, TLS is for the certificates of the system.
 */
const BUILTINS: readonly string[] = [
  'node:crypto',
  'node:dns/promises',
  'node:fs/promises',
  'node:http',
  'node:net',
  'node:stream',
  'node:timers/promises',
  'node:tls',
  'node:zlib',
];

/** An `import()` of an entry (path of its source → name in dist/) is one of its file in dist/. */
export function lateEntries(entries: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'late entries',
    setup(build) {
      build.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
        const name = kind === 'dynamic-import' ? entries.get(resolve(resolveDir, path)) : undefined;
        return name === undefined ? undefined : { path: `./${name}.cjs`, external: true };
      });
    },
  };
}

export function lazyBuiltins(): Plugin {
  return {
    name: 'lazy builtins',
    setup(build) {
      build.onResolve({ filter: /^node:/ }, ({ path, namespace }) => {
        const isLazy = BUILTINS.includes(path) && namespace !== LAZY;
        return isLazy ? { path, namespace: LAZY, pluginData: path } : { path, external: true };
      });
      loadLazily(build, /^node:/);
    },
  };
}

/** An import of a library is lazy; an `import()` of it is one of its file in dist/. */
export function lateLibraries(): Plugin {
  const files = new Map([...LIBRARIES].map(([name, library]) => [library, `./${name}.cjs`]));
  return {
    name: 'late libraries',
    setup(build) {
      build.onResolve({ filter: /^[^.]/ }, ({ path, kind }) => {
        const file = files.get(path);
        if (file === undefined || kind === 'entry-point') return undefined;
        if (kind === 'dynamic-import') return { path: file, external: true };
        return { path, namespace: LAZY, pluginData: file };
      });
      build.onResolve({ filter: /^\.\/.*\.cjs$/, namespace: LAZY }, ({ path }) => ({ path, external: true }));
      loadLazily(build, /^[^.]/);
    },
  };
}

const LAZY = 'lazy';

/** A module of getters stands for a lazy one; the bundler reads a property of a module where a name is used. */
function loadLazily(build: PluginBuild, filter: RegExp): void {
  build.onLoad({ filter, namespace: LAZY }, async ({ path, pluginData: file }) => {
    const names = Object.keys(await import(path)).filter((name) => name !== 'default' && name !== 'module.exports');
    const getters = names.map((name) => `get ${name}() { return load().${name}; },`);
    // Node looks a module up by its name anew at each `require`: 5 us, and a handshake of TLS had ten of them.
    const load = `let loaded;\nconst load = () => (loaded ??= require('${file}'));\n`;
    return { contents: `${load}module.exports = {\n${getters.join('\n')}\n};\n`, loader: 'js' };
  });
}

/**
 * koffi's binary, from the package that has it for this machine. koffi itself finds the same one by reading headers of
 * executables; it is asked where packages lie otherwise than npm puts them, and where the C library is not glibc.
 */
export function nativeCalls(): Plugin {
  const contents = `
const machine = process.platform + '-' + process.arch;
try {
  module.exports = require('@koromix/koffi-' + machine + '/' + machine.replace('-', '_') + '/koffi.node');
} catch {
  module.exports = require('koffi');
}
`;
  return {
    name: 'native calls',
    setup(build) {
      build.onResolve({ filter: /^koffi$/ }, ({ path, namespace }) =>
        namespace === NATIVE ? { path, external: true } : { path, namespace: NATIVE },
      );
      build.onLoad({ filter: /^koffi$/, namespace: NATIVE }, () => ({ contents, loader: 'js' }));
    },
  };
}

const NATIVE = 'native';
