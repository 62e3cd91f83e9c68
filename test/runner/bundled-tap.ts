// tap in one file. It is 262 modules, and a process spends 0.28 s of CPU before its first test, 0.13 s with this: of a
// thousand files that is a tenth of the whole run. A file that is run by hand takes tap from its package as ever.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';

// Parts of tap are CommonJS, and esbuild's stand-in for `require` in a module refuses all that is not in the bundle.
const REQUIRE =
  "import { createRequire as requireAt } from 'node:module';\nconst require = requireAt(import.meta.url);";

const REDIRECTION = `import { registerHooks } from 'node:module';
const url = new URL('tap.mjs', import.meta.url).href;
registerHooks({
  resolve: (name, context, next) =>
    name === 'tap' ? { url, format: 'module', shortCircuit: true } : next(name, context),
});
`;

/**
 * Writes the bundle and the module that puts it in the place of `tap`.
 * @param folder in the repository, since what tap loads only when asked stays in its packages.
 * @returns the address of that module, for Node's `--import`.
 */
export function bundleTap(folder: string): string {
  // Named like tap's own packages, whose frames it leaves out of the stacks that it prints.
  const tap = join(folder, 'node_modules/@tapjs');
  buildSync({
    stdin: { contents: "export * from 'tap';\nexport { default } from 'tap';\n", resolveDir: folder },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    // What `t.spawn` starts loads a module of this package, by its place beside the others.
    external: ['@tapjs/processinfo'],
    banner: { js: REQUIRE },
    outfile: join(tap, 'tap.mjs'),
    logLevel: 'error',
  });
  const redirection = join(tap, 'redirect-tap.mjs');
  writeFileSync(redirection, REDIRECTION);
  return pathToFileURL(redirection).href;
}
