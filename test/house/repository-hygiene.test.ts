// What a reader on another machine can neither reach nor use does not belong into the repository.

import t from 'tap';
import { pathsOf, textOf } from './source-tree.ts';

interface Ban {
  readonly what: string;
  readonly pattern: RegExp;
  readonly example: string;
}

// Examples are put together from pieces, so that this file does not offend against itself.
const BANS: readonly Ban[] = [
  {
    what: 'host names of package registries: npm, pip and apt know theirs',
    pattern:
      /registry\.(npmjs|yarnpkg)\.|\bnpmmirror\.|files\.pythonhosted\.|\bpypi\.org|deb\.debian\.org|proxy\.golang\./,
    example: ['registry', 'npmjs', 'org'].join('.'),
  },
  {
    what: 'paths of one machine',
    pattern: /(?<![\w.$}-])\/(home|root|work|Users)\/[\w.-]+/,
    example: ['', 'home', 'somebody', 'outrigger'].join('/'),
  },
  {
    what: 'notes to come back later: an issue has a number',
    pattern: /\b(TODO|FIXME|XXX|HACK)\b/,
    example: ['TO', 'DO'].join(''),
  },
];

// This file names what it bans.
const OWN = 'test/house/repository-hygiene.test.ts';
const files = [
  ...pathsOf(['**/*.{ts,mjs,md,json,yaml,yml,c,h,sh,lua,html}', '.*.{mjs,yaml,json}']),
  ...pathsOf(['bin/*', '.ci/*', 'Dockerfile', '.dockerignore']),
].filter((path) => path !== OWN);

t.test('the rules look at real files', (t) => {
  for (const path of ['package-lock.json', 'bin/outrigger', '.ci/run', 'Dockerfile', '.dependency-cruiser.mjs']) {
    t.ok(files.includes(path), path);
  }
  t.end();
});

for (const ban of BANS) {
  t.test(`no file holds ${ban.what}`, (t) => {
    t.same(
      files.flatMap((path) => offences(path, textOf(path), ban.pattern)),
      [],
    );
    t.same(offences('x', `first\n"${ban.example}"\n`, ban.pattern), ['x:2'], 'finds one');
    t.end();
  });
}

t.test('the lock file names no place to download from', (t) => {
  t.notMatch(textOf('package-lock.json'), /"resolved": "https?:/);
  t.end();
});

function offences(path: string, text: string, pattern: RegExp): string[] {
  return text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : []));
}
