// Every package that runs in a mesh's data plane is a risk somebody accepted: pinned, licensed, and with its reason in
// docs/dependencies.md.

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT, textOf } from './source-tree.ts';

// Licences whose code may be shipped with, or used to make, Apache-2.0 code. https://www.apache.org/legal/resolved.html
const COMPATIBLE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PSF-2.0',
  'Python-2.0',
  'Unlicense',
]);

/** Packages of the development tree whose licence field needs a person, with what that person found. */
const READ_BY_A_PERSON: ReadonlyMap<string, string> = new Map([
  ['spdx-exceptions', 'CC-BY-3.0: a list of names, used by a licence parser of the test tools, not shipped'],
  ['jsonc-simple-parser', 'names no licence in its manifest; its file `license` is MIT, not shipped'],
]);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
}

interface LockedPackage {
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

type Versions = Readonly<Record<string, string>>;

const own: { dependencies: Versions; optionalDependencies: Versions; devDependencies: Versions } = JSON.parse(
  textOf('package.json'),
);
const declared = new Map(Object.entries({ ...own.dependencies, ...own.optionalDependencies, ...own.devDependencies }));
const locked: readonly [string, LockedPackage][] = Object.entries<LockedPackage>(
  JSON.parse(textOf('package-lock.json')).packages,
).filter(([path]) => path !== '');

t.test('every dependency is pinned to one version', (t) => {
  for (const [name, version] of declared) t.match(version, /^\d+\.\d+\.\d+$/, name);
  t.end();
});

t.test('docs/dependencies.md has exactly one row for each dependency, with its licence and a reason', (t) => {
  const rows = rowsOf(textOf('docs/dependencies.md'));
  t.same([...rows.keys()].toSorted(), [...declared.keys()].toSorted());
  for (const [name, row] of rows) {
    const manifest = installed(name);
    t.ok(row.reason.length > 20, `${name} has a reason`);
    if (manifest !== undefined) t.equal(row.licence, manifest.license, `${name} has the licence it declares`);
  }
  t.end();
});

t.test('every package in the lock file has a licence that Apache-2.0 code may use', (t) => {
  const doubtful = locked.filter(([path, entry]) => !isAllowed(entry.license) && !READ_BY_A_PERSON.has(nameOf(path)));
  t.same(
    doubtful.map(([path, entry]) => `${nameOf(path)}: ${entry.license ?? 'none'}`),
    [],
  );
  t.ok(locked.length > 100, 'the lock file was read');
  t.end();
});

t.test('a licence is allowed when one of its alternatives is', (t) => {
  t.ok(isAllowed('MIT') && isAllowed('(BSD-3-Clause OR GPL-2.0)') && isAllowed('(WTFPL OR MIT)'));
  t.notOk(isAllowed('GPL-3.0') || isAllowed('MIT AND GPL-3.0') || isAllowed(undefined) || isAllowed('SSPL-1.0'));
  t.end();
});

t.test('what a person had to read is not shipped', (t) => {
  const carried = textOf('dist/THIRD-PARTY-LICENSES');
  for (const [path, entry] of locked) {
    if (!READ_BY_A_PERSON.has(nameOf(path))) continue;
    t.equal(entry.dev, true, `${nameOf(path)} is not installed with the product`);
    t.notOk(carried.includes(`\n${nameOf(path)} `), `${nameOf(path)} is not in the bundle`);
  }
  for (const name of READ_BY_A_PERSON.keys())
    t.ok(
      locked.some(([path]) => nameOf(path) === name),
      `${name} is there`,
    );
  t.end();
});

t.test('what is installed with the product is what the bundle cannot carry', (t) => {
  const files = readdirSync(join(ROOT, 'dist')).filter((file) => /\.c?js$/.test(file));
  const parts = files.map((file) => textOf(`dist/${file}`));
  const carried = textOf('dist/THIRD-PARTY-LICENSES');
  for (const name of Object.keys({ ...own.dependencies, ...own.optionalDependencies })) {
    t.notOk(carried.includes(`\n${name} `), `${name} is not there twice`);
    // Node itself is not loaded: bin/outrigger starts it.
    t.ok(name.startsWith('node-linux-') || parts.some((text) => text.includes(`"${name}"`)), `${name} is loaded`);
  }
  t.end();
});

function isAllowed(licence: string | undefined): boolean {
  if (licence === undefined) return false;
  return licence
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((alternative) => alternative.split(' AND ').every((part) => COMPATIBLE.has(part)));
}

function rowsOf(page: string): ReadonlyMap<string, { readonly licence: string; readonly reason: string }> {
  const rows = page.matchAll(/^\| `([^`]+)` \| ([^|]+) \| ([^|]+) \|$/gm);
  return new Map([...rows].map((row) => [row[1]!, { licence: row[2]!.trim(), reason: row[3]!.trim() }]));
}

/** Undefined for the optional package of another architecture. */
function installed(name: string): Manifest | undefined {
  const path = `node_modules/${name}/package.json`;
  return existsSync(join(ROOT, path)) ? JSON.parse(textOf(path)) : undefined;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
}
