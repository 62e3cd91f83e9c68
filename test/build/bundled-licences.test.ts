import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import t from 'tap';
import { bundledLicences } from '../../build/bundled-licences.ts';

const ROOT = join(import.meta.dirname, '../..');

const FOLDERS = {
  node_modules: {
    plain: {
      'package.json': '{"name":"plain","version":"1.0.0","license":"MIT"}',
      LICENSE: 'As you like.\n\nNo warranty.\n',
    },
    '@scope': {
      named: {
        'package.json': '{"name":"@scope/named","version":"2.0.0","license":"Apache-2.0"}',
        'LICENSE.md': 'Terms.',
        NOTICE: 'By us.',
        node_modules: {
          plain: { 'package.json': '{"name":"plain","version":"0.9.0","license":"MIT"}', licence: 'Older.' },
        },
      },
    },
    unused: { 'package.json': '{"name":"unused","version":"1.0.0"}' },
  },
};

/** As esbuild tells of an output with so many bytes of each file. */
function outputOf(inputs: Readonly<Record<string, number>>): Metafile {
  const told = Object.entries(inputs).map(([path, bytesInOutput]) => [path, { bytesInOutput }]);
  return { inputs: {}, outputs: { 'dist/a.cjs': { inputs: Object.fromEntries(told) } } } as unknown as Metafile;
}

t.test('each package that is carried has its name, version, licence and notice, once, in order', (t) => {
  const source = t.testdir(FOLDERS);
  const metafile = outputOf({
    'proxy/main.ts': 100,
    'lazy:plain': 20,
    'node_modules/plain/a.js': 10,
    'node_modules/plain/b.js': 10,
    'node_modules/@scope/named/index.js': 10,
    'node_modules/@scope/named/node_modules/plain/index.js': 10,
    'node_modules/unused/index.js': 0,
  });
  t.equal(
    bundledLicences(metafile, source),
    `The programs in this folder contain code of these packages.


@scope/named 2.0.0, Apache-2.0

  Terms.

  By us.


plain 0.9.0, MIT

  Older.


plain 1.0.0, MIT

  As you like.

  No warranty.
`,
  );
  t.end();
});

t.test('a package without a licence text is not bundled', (t) => {
  const source = t.testdir(FOLDERS);
  t.throws(
    () => bundledLicences(outputOf({ 'node_modules/unused/index.js': 1 }), source),
    /^unused .* no licence text/,
  );
  t.end();
});

t.test('every package of which there is code in dist/ is named there', (t) => {
  const dist = join(ROOT, 'dist');
  // The bundler writes above each part which file it is of.
  const parts = /^\s*\/\/ (?:\S*\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\//gm;
  const carried = new Set<string>();
  for (const file of readdirSync(dist).filter((name) => /\.c?js$/.test(name))) {
    for (const [, name] of readFileSync(join(dist, file), 'latin1').matchAll(parts)) carried.add(name!);
  }
  const text = readFileSync(join(dist, 'THIRD-PARTY-LICENSES'), 'utf8');
  const named = new Set([...text.matchAll(/^(\S+) \d+\.\d+\.\d+, \S/gm)].map((match) => match[1]!));
  t.same([...named].sort(), [...carried].sort());
  t.ok(['pino', 'undici', '@grpc/grpc-js', 'protobufjs'].every((name) => named.has(name)));
  t.end();
});
